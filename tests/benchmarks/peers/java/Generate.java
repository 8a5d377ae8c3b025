import java.io.File;
import org.apache.avro.Schema;
import org.apache.avro.compiler.specific.SpecificCompiler;
import org.apache.avro.generic.GenericData;

/** Java classes of a schema and of all that it refers to: {@code java Generate.java SCHEMA DIRECTORY}. */
final class Generate {
    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse(new File(arguments[0]));
        SpecificCompiler compiler = new SpecificCompiler(schema);
        compiler.setStringType(GenericData.StringType.String);
        compiler.compileToDestination(null, new File(arguments[1]));
    }
}
