import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.TableEnvironment;

/** Runs job.sql in this process: `Job.java SQL BROKERS TOPIC OUTPUT WHAT`, WHAT being `flat` or `counts`. */
class Job {
    public static void main(String[] arguments) throws Exception {
        String text = Files.readString(Path.of(arguments[0]))
            .replace("$BROKERS", arguments[1]).replace("$TOPIC", arguments[2]).replace("$OUTPUT", arguments[3]);
        boolean counts = arguments[4].equals("counts");
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", String.valueOf(Runtime.getRuntime().availableProcessors()));
        settings.setString("execution.checkpointing.interval", "30 s");
        // The JobManager's own memory takes no state above 5 MB.
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir", "file://" + arguments[3] + "/checkpoints");
        // A failure is to be seen, not tried again.
        settings.setString("restart-strategy.type", "none");
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("table.local-time-zone", "UTC");
        settings.setString("table.exec.mini-batch.enabled", "true");
        settings.setString("table.exec.mini-batch.allow-latency", "2 s");
        settings.setString("table.exec.mini-batch.size", "10000");
        settings.setString("taskmanager.memory.network.max", "256m");
        settings.setString("taskmanager.memory.managed.size", "512m");
        TableEnvironment tables =
            TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
        StatementSet all = tables.createStatementSet();
        for (String statement : text.split(";")) {
            String bare = statement.strip();
            if (bare.startsWith("INSERT INTO counts") && !counts || bare.isEmpty()) {
                continue;
            }
            if (bare.startsWith("INSERT")) {
                all.addInsertSql(bare);
            } else {
                tables.executeSql(bare);
            }
        }
        all.execute().await();
        System.exit(0);
    }
}
