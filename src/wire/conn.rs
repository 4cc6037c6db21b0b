//! One broker connection: requests in flight by correlation id, or poisoned.
