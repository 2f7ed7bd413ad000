package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Predictions as JSON, one a line, from standard input to Kafka as driftline's plain {@code Prediction} record.
 *
 * <p>Usage: {@code java -cp target/classes:target/lib/* example.Predictions HOST:PORT [TOPIC] < predictions.jsonl}
 */
public final class Predictions {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Predictions() {}

  public static void main(String[] arguments) throws Exception {
    String topic = arguments.length > 1 ? arguments[1] : "predictions";
    Schema schema = schema();
    // Avro's single-object encoding: two bytes that mark it, the schema's fingerprint, the record.
    var encoder = new BinaryMessageEncoder<GenericRecord>(new GenericData(), schema);
    var failure = new AtomicReference<Exception>();
    int sent = 0;
    try (var producer = new KafkaProducer<String, byte[]>(options(arguments[0]));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        GenericRecord made = record(schema, JSON.readTree(line));
        ByteBuffer encoded = encoder.encode(made);
        byte[] value = new byte[encoded.remaining()];
        encoded.get(value);
        // The key is the deployment's name: everything about it meets in one partition.
        String key = made.get("deployment").toString();
        producer.send(new ProducerRecord<>(topic, key, value), (place, error) -> {
          if (error != null) {
            failure.compareAndSet(null, error);
          }
        });
        sent++;
      }
      producer.flush();
    }
    if (failure.get() != null) {
      throw new IOException("not all were sent: " + failure.get().getMessage(), failure.get());
    }
    System.out.println("sent " + sent + " predictions");
  }

  private static Properties options(String bootstrap) {
    var options = new Properties();
    options.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    options.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
    options.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class.getName());
    options.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4");
    options.put(ProducerConfig.LINGER_MS_CONFIG, 50);
    // Murmur2 of the key, acks of all replicas and idempotence are the client's defaults.
    return options;
  }

  private static Schema schema() throws IOException {
    try (InputStream stream = Predictions.class.getResourceAsStream("/prediction.avsc")) {
      return new Schema.Parser().parse(stream);
    }
  }

  /** The fields in the types of the schema; what is not set has the schema's default. */
  private static GenericRecord record(Schema schema, JsonNode line) {
    var builder = new GenericRecordBuilder(schema)
        .set("deployment", line.required("deployment").asText())
        .set("model_version", line.required("model_version").asText())
        // The application's own id, so that a line sent twice is one prediction.
        .set("id", line.required("id").asText())
        .set("time_ms", line.required("time_ms").asLong())
        .set("features", values(line.required("features")))
        .set("scores", values(line.path("scores")));
    if (line.hasNonNull("predicted")) {
      builder.set("predicted", line.get("predicted").asText());
    }
    if (line.hasNonNull("latency_ms")) {
      builder.set("latency_ms", line.get("latency_ms").floatValue());
    }
    return builder.build();
  }

  private static Map<String, Object> values(JsonNode given) {
    var typed = new HashMap<String, Object>();
    given.properties().forEach(entry -> typed.put(entry.getKey(), value(entry.getValue())));
    return typed;
  }

  private static Object value(JsonNode given) {
    if (given.isTextual()) {
      return given.asText();
    }
    if (given.isBoolean()) {
      return given.asBoolean();
    }
    return given.isNumber() ? given.doubleValue() : null;
  }
}
