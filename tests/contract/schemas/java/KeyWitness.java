import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/** Answers, one line each, what Kafka's own producer makes of a key: murmur2 and the partition. */
public final class KeyWitness {
    public static void main(String[] arguments) throws IOException {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] words = line.split("\t", -1);
            byte[] key = HexFormat.of().parseHex(words[0]);
            int partition = BuiltInPartitioner.partitionForKey(key, Integer.parseInt(words[1]));
            System.out.println(Integer.toUnsignedString(Utils.murmur2(key)) + "\t" + partition);
        }
    }
}
