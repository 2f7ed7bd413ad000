import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.io.JsonEncoder;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.BinaryMessageEncoder;

/** Answers, one line each, what Apache Avro makes of our schemas and bytes: the second opinion of the contract tests. */
public final class AvroWitness {
    private static final HexFormat HEX = HexFormat.of();

    public static void main(String[] arguments) throws IOException {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] words = line.split("\t", 3);
            Schema schema = new Schema.Parser().parse(Files.readString(Path.of(words[1])));
            System.out.println(switch (words[0]) {
                case "fingerprint" -> fingerprint(schema);
                case "read" -> read(schema, words[2]);
                case "write" -> write(schema, words[2]);
                case "compatible" -> compatible(schema, new Schema.Parser().parse(Files.readString(Path.of(words[2]))));
                default -> throw new IllegalArgumentException(words[0]);
            });
        }
    }

    /** The 8 bytes of CRC-64-AVRO as they travel, little-endian, in hexadecimal. */
    private static String fingerprint(Schema schema) {
        long value = SchemaNormalization.parsingFingerprint64(schema);
        return HEX.formatHex(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    }

    /** A message in single-object encoding as Avro JSON. */
    private static String read(Schema schema, String hex) throws IOException {
        GenericRecord record = new BinaryMessageDecoder<GenericRecord>(GenericData.get(), schema).decode(HEX.parseHex(hex));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        JsonEncoder encoder = EncoderFactory.get().jsonEncoder(schema, out);
        new GenericDatumWriter<GenericRecord>(schema).write(record, encoder);
        encoder.flush();
        return out.toString(StandardCharsets.UTF_8);
    }

    /** Avro JSON as a message in single-object encoding. */
    private static String write(Schema schema, String json) throws IOException {
        GenericRecord record =
            new GenericDatumReader<GenericRecord>(schema).read(null, DecoderFactory.get().jsonDecoder(schema, json));
        ByteBuffer message = new BinaryMessageEncoder<GenericRecord>(GenericData.get(), schema).encode(record);
        byte[] bytes = new byte[message.remaining()];
        message.get(bytes);
        return HEX.formatHex(bytes);
    }

    /** Whether each of two versions reads what the other wrote. */
    private static String compatible(Schema one, Schema other) {
        return SchemaCompatibility.checkReaderWriterCompatibility(one, other).getType() + " "
            + SchemaCompatibility.checkReaderWriterCompatibility(other, one).getType();
    }
}
