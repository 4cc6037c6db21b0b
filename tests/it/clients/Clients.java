import java.io.*;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Java's clients, each started and stopped on either cluster by a line on stdin (`start writers producer source 0`: who, what, where, the first
 * number), saying a line for whatever it notices. Arguments: what names begin with, and a directory with each one's properties of both sides.
 */
public class Clients {
    static final int EACH = 5;
    static String stem;
    static Path directory;

    /** What one instance is given: where it runs, and whether it is to end. */
    record Place(String who, String client, String side, AtomicLong next, CountDownLatch end) {
        void say(String what, Object... more) {
            StringBuilder line = new StringBuilder(who + " " + client + " " + side + " " + what);
            for (Object one : more) line.append(' ').append(one);
            synchronized (System.out) { System.out.println(line); }
        }

        boolean runs(long pause) {
            try { return !end.await(pause, TimeUnit.MILLISECONDS); } catch (InterruptedException e) { return false; }
        }

        Properties settings(Object... more) {
            Properties settings = new Properties();
            try (Reader file = Files.newBufferedReader(directory.resolve(who + "-" + side + ".properties"))) {
                settings.load(file);
            } catch (IOException e) { throw new UncheckedIOException(e); }
            for (int at = 0; at < more.length; at += 2) settings.put(more[at].toString(), more[at + 1].toString());
            return settings;
        }
    }

    static String name(Throwable thrown) {
        Throwable inner = thrown;
        while (inner.getCause() != null && (inner instanceof ExecutionException || inner.getClass() == KafkaException.class
                || inner instanceof org.apache.kafka.streams.errors.StreamsException)) inner = inner.getCause();
        return inner.getClass().getSimpleName();
    }

    static ProducerRecord<String, String> record(String topic, long number) {
        return new ProducerRecord<>(topic, (int) (number % 2), Long.toString(number), Long.toString(number));
    }

    static void produce(Place place) {
        try (var producer = new KafkaProducer<>(place.settings(), new StringSerializer(), new StringSerializer())) {
            while (place.runs(20)) {
                long number = place.next.getAndIncrement();
                try {
                    producer.send(record(stem + "-java", number), (at, thrown) -> {
                        if (thrown == null) place.say("ack", number); else place.say("fail", name(thrown));
                    });
                } catch (KafkaException thrown) { place.say("fail", name(thrown)); }
            }
        }
    }

    /** Commits a transaction of a few records, again and again; one that fails is aborted, and what cannot be aborted ends it. */
    static void transact(Place place) {
        String id = stem + "-java-tx";
        try (var producer = new KafkaProducer<>(place.settings("transactional.id", id, "max.block.ms", 20000), new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            while (place.runs(100)) {
                long number = place.next.get();
                try {
                    producer.beginTransaction();
                    for (long one = number; one < number + EACH; one++) producer.send(record(id, one));
                    // Open for a while, as those of applications are.
                    place.runs(20);
                    producer.commitTransaction();
                    place.next.addAndGet(EACH);
                    for (long one = number; one < number + EACH; one++) place.say("ack", one);
                } catch (KafkaException thrown) {
                    place.say("fail", name(thrown));
                    producer.abortTransaction();
                    place.say("aborted");
                    place.runs(200);
                }
            }
        } catch (KafkaException thrown) { place.say("dead", name(thrown)); }
    }

    static void consume(Place place) {
        var settings = place.settings("group.id", stem + "-" + place.who + "-java", "isolation.level", "read_committed", "enable.auto.commit", "false",
            "auto.offset.reset", place.side.equals("source") ? "earliest" : "none");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(stem + "-java", stem + "-java-tx"), new ConsumerRebalanceListener() {
                @Override public void onPartitionsAssigned(Collection<TopicPartition> all) { if (!all.isEmpty()) place.say("assigned"); }
                @Override public void onPartitionsRevoked(Collection<TopicPartition> all) { if (place.end.getCount() > 0) place.say("revoked"); }
                @Override public void onPartitionsLost(Collection<TopicPartition> all) { place.say("lost"); }
            });
            while (place.runs(0)) {
                try {
                    var all = consumer.poll(Duration.ofMillis(50));
                    for (var one : all) place.say("read", one.topic(), one.partition(), one.value());
                    if (!all.isEmpty()) consumer.commitSync();
                } catch (KafkaException thrown) { place.say("fail", name(thrown)); place.runs(200); }
            }
        }
    }

    /** Counts numbers by their last digit, exactly once; with a repartition topic and a changelog. */
    static void stream(Place place) {
        var settings = place.settings("application.id", stem + "-streams", "processing.guarantee", "exactly_once_v2", "commit.interval.ms", 100,
            "num.stream.threads", 1, "state.dir", directory.resolve("streams-" + place.side), "replication.factor", -1,
            "repartition.purge.interval.ms", 1200000, "default.key.serde", Serdes.String().getClass().getName(),
            "default.value.serde", Serdes.String().getClass().getName(), "consumer.auto.offset.reset", "earliest",
            "session.timeout.ms", 6000, "heartbeat.interval.ms", 1000,
            // Every count is written, none is held back for the next.
            "statestore.cache.max.bytes", 0);
        // A dynamic member stays in the group when it is closed, until its session ends; a static one can leave it.
        boolean leaves = place.side.equals("target");
        if (leaves) settings.put("group.instance.id", "one");
        var builder = new StreamsBuilder();
        builder.<String, String>stream(stem + "-java")
            .selectKey((key, value) -> "digit-" + Long.parseLong(value) % 10)
            .groupByKey(Grouped.as("digits"))
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts").withValueSerde(Serdes.Long()))
            .toStream()
            .mapValues(count -> { place.say("ack", count); return count.toString(); })
            .to(stem + "-counts");
        var streams = new KafkaStreams(builder.build(), settings);
        streams.setStateListener((now, before) -> place.say("state", now));
        streams.setUncaughtExceptionHandler(thrown -> {
            place.say("dead", name(thrown));
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        while (place.runs(1000)) { }
        streams.close(new KafkaStreams.CloseOptions().timeout(Duration.ofSeconds(30)).leaveGroup(leaves));
    }

    static void run(Place place) {
        try {
            switch (place.client) {
                case "producer" -> produce(place);
                case "transactions" -> transact(place);
                case "consumer" -> consume(place);
                case "streams" -> stream(place);
                default -> throw new IllegalArgumentException(place.client);
            }
        } catch (Throwable thrown) {
            place.say("dead", name(thrown));
            thrown.printStackTrace();
        }
        place.say("down");
    }

    public static void main(String[] arguments) throws IOException {
        stem = arguments[0];
        directory = Path.of(arguments[1]);
        var running = new HashMap<String, Place>();
        // Whoever goes on elsewhere goes on behind its last number.
        var next = new HashMap<String, AtomicLong>();
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            String client = words[1] + " " + words[2];
            String which = client + " " + words[3];
            if (words[0].equals("start")) {
                AtomicLong from = next.computeIfAbsent(client, none -> new AtomicLong(Long.parseLong(words[4])));
                Place place = new Place(words[1], words[2], words[3], from, new CountDownLatch(1));
                running.put(which, place);
                new Thread(() -> run(place)).start();
            } else {
                running.remove(which).end.countDown();
            }
        }
        System.exit(0);
    }
}
