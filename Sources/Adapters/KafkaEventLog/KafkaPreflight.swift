import KafkaClient
package import Logging
package import MeteringPorts

/// Start-up questions to the cluster: is what is promised also what is set up there?
package struct KafkaPreflight: Sendable {
    package enum Level: String, Sendable {
        case fine, warning, error
        /// The cluster does not tell; never a pass.
        case unknown
    }

    package struct Finding: Sendable, Hashable {
        package var level: Level
        package var text: String
    }

    private let topic: String
    private let settings: KafkaConfiguration
    private let requiredRetentionSeconds: Int64
    private let logger: Logger

    /// - Parameter requiredRetentionSeconds: how long records must stay: the dedupe window, or as
    ///   long as the longest outage that must lose nothing.
    package init(
        brokers: String, topic: String, properties: [String: String] = [:],
        requiredRetentionSeconds: Int64 = 35 * 86_400,
        logger: Logger = Logger(label: "tollgate.kafka")
    ) throws(EventLogError) {
        self.topic = topic
        self.requiredRetentionSeconds = requiredRetentionSeconds
        self.logger = logger
        var settings = try KafkaSettings.reader(
            brokers: brokers, group: "", properties: properties)
        settings["group.id"] = nil
        self.settings = settings
    }

    /// Asks on a thread of its own; takes seconds when the brokers do not answer.
    package func run() async -> [Finding] {
        await OwnedThread.run { runBlocking() }
    }

    /// As `run`, but blocks the calling thread.
    package func runBlocking(timeoutMilliseconds: Int = 5_000) -> [Finding] {
        let probe: KafkaProbe
        do throws(KafkaError) {
            probe = try KafkaProbe(configuration: settings, log: logger.kafkaSink())
        } catch {
            return [Finding(level: .error, text: EventLogError(error).message)]
        }
        defer { probe.close() }
        let description: KafkaTopicDescription
        do throws(KafkaError) {
            description = try probe.describe(
                topic: topic, timeoutMilliseconds: timeoutMilliseconds)
        } catch {
            return [Finding(level: .error, text: EventLogError(error).message)]
        }
        if let problem = description.problem {
            let error = KafkaError(code: problem, attempt: "look up topic \"\(topic)\"")
            return [Finding(level: .error, text: EventLogError(error).message)]
        }
        var findings = judge(description)
        do throws(KafkaError) {
            let replicas = description.partitions.map(\.replicaCount).min() ?? 0
            let told = try probe.settings(
                ofTopic: topic, timeoutMilliseconds: timeoutMilliseconds)
            findings += judge(told, replicaCount: replicas)
        } catch {
            findings.append(
                Finding(
                    level: .unknown,
                    text: """
                        The topic's settings are not known (\(error)). Check yourself that \
                        min.insync.replicas is 2 or more, unclean.leader.election.enable is \
                        false, cleanup.policy is delete and retention.ms is at least \
                        \(requiredRetentionSeconds * 1_000).
                        """))
        }
        return findings
    }

    func judge(_ description: KafkaTopicDescription) -> [Finding] {
        var findings = [
            Finding(
                level: .fine,
                text: """
                    Topic "\(topic)" has \(description.partitions.count) partitions on \
                    \(description.brokerCount) brokers.
                    """)
        ]
        let leaderless = description.partitions.filter { !$0.hasLeader }.map(\.number)
        if !leaderless.isEmpty {
            findings.append(
                Finding(level: .error, text: "Partitions \(leaderless) have no leader."))
        }
        let lagging = description.partitions.filter {
            $0.inSyncReplicaCount < $0.replicaCount
        }
        if !lagging.isEmpty {
            findings.append(
                Finding(
                    level: .warning,
                    text: "Partitions \(lagging.map(\.number)) have replicas out of sync."))
        }
        let replicas = description.partitions.map(\.replicaCount).min() ?? 0
        findings.append(
            replicas >= 2
                ? Finding(level: .fine, text: "Every partition has \(replicas) replicas or more.")
                : Finding(
                    level: .warning,
                    text: """
                        A partition has only one replica: losing that broker's disk loses \
                        acknowledged events. Use a replication factor of 3.
                        """))
        return findings
    }

    /// Grades the topic's settings; what is not told is unknown.
    func judge(_ told: [String: String], replicaCount: Int) -> [Finding] {
        [
            grade(told, "min.insync.replicas", wanted: "2 or more") { value in
                guard let count = Int(value) else { return nil }
                return count >= 2 ? .fine : .warning
            },
            grade(told, "min.insync.replicas", wanted: "less than the number of replicas") {
                guard let count = Int($0) else { return nil }
                return count < max(2, replicaCount) ? .fine : .warning
            },
            grade(told, "unclean.leader.election.enable", wanted: "false") {
                $0 == "false" ? .fine : .error
            },
            grade(told, "cleanup.policy", wanted: "delete") {
                // Compaction keeps one event per key and drops the rest.
                $0.contains("compact") ? .error : .fine
            },
            grade(
                told, "retention.ms", wanted: "\(requiredRetentionSeconds * 1_000) or more, or -1"
            ) { value in
                guard let milliseconds = Int64(value) else { return nil }
                return milliseconds < 0 || milliseconds / 1_000 >= requiredRetentionSeconds
                    ? .fine : .warning
            },
            grade(told, "retention.bytes", wanted: "-1") {
                // A bound on size cuts a busy day's events short, whatever retention.ms says.
                $0 == "-1" ? .fine : .warning
            },
        ]
    }

    private func grade(
        _ told: [String: String], _ name: String, wanted: String,
        _ level: (String) -> Level?
    ) -> Finding {
        guard let value = told[name] else {
            return Finding(level: .unknown, text: "\(name) is not told; it should be \(wanted).")
        }
        guard let level = level(value) else {
            return Finding(level: .unknown, text: "\(name) is \"\(value)\", which says nothing.")
        }
        return Finding(
            level: level,
            text: level == .fine ? "\(name) is \(value)." : "\(name) is \(value); use \(wanted).")
    }
}
