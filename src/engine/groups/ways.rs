//! Translation by the maps of both directions.

use super::{NoPlace, Place, Translate, Translation};
use crate::{
    engine::maps::Maps,
    model::{map, names::TopicPartition},
};

/// The maps of the direction that writes, and of the one back, if there is one.
pub struct Ways {
    /// From the side that is followed to the one that is written.
    pub here: Maps,
    /// The way back.
    pub there: Option<Maps>,
}

impl Translate for Ways {
    fn now(&self, of: &TopicPartition) -> Option<Translation> {
        let here = self.here.way(of)?;
        let there = self.there.as_ref().map(|back| back.way(of));
        Some(Box::new(move |committed, end| {
            let back = match &there {
                None => None,
                Some(Some(back)) => Some(back),
                Some(None) => {
                    return Err(NoPlace {
                        reason: "the other direction has not met the partition yet".to_owned(),
                        is_passing: true,
                    });
                }
            };
            match map::translate(committed, &here, back, end) {
                Ok(place) => Ok(Place {
                    offset: place.offset,
                    repeats: place.repeats,
                }),
                Err(no) => Err(NoPlace {
                    reason: no.to_string(),
                    is_passing: no.is_passing(),
                }),
            }
        }))
    }
}
