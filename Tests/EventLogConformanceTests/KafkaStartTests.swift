import KafkaClient
import MeteringPorts
import Testing

@testable import KafkaEventLog

@Suite struct KafkaStartTests {
    @Test(
        arguments: [
            (Int64(-1), StartOffset.read(from: 10)), (0, .read(from: 10)), (10, .read(from: 10)),
            (15, .read(from: 15)), (20, .read(from: 20)), (9, .gap(missing: 1)),
            (1, .gap(missing: 9)), (21, .beyondEnd(by: 1)),
        ] as [(Int64, StartOffset)])
    func positionsAreHeldAgainstTheBounds(_ wanted: Int64, _ expected: StartOffset) {
        let bounds = KafkaWatermarks(low: 10, high: 20)
        #expect(StartOffset(wanted: wanted, bounds: bounds) == expected)
    }

    @Test func secretsAreNeverPrinted() {
        let configuration = KafkaConfiguration([
            "sasl.password": "hunter2", "ssl.key.password": "hunter3", "ssl.key.pem": "hunter4",
            "sasl.oauthbearer.client.secret": "hunter5", "client.id": "visible",
        ])
        #expect(!"\(configuration)".contains("hunter"))
        #expect("\(configuration)".contains("client.id=visible"))
    }

    @Test func aTopicsStateIsGraded() async throws {
        let fixture = try KafkaFixture(partitions: 3)
        let preflight = try KafkaPreflight(brokers: fixture.brokers, topic: KafkaFixture.topic)
        let findings = await preflight.run()
        #expect(findings.contains { $0.level == .fine && $0.text.contains("3 partitions") })
        #expect(findings.contains { $0.level == .warning && $0.text.contains("one replica") })
        // The mock tells no settings, and that is not a pass.
        #expect(findings.contains { $0.level == .unknown && $0.text.contains("retention.ms") })

        fixture.cluster.setError(.unknownTopic, forTopic: KafkaFixture.topic)
        let missing = await preflight.run()
        #expect(missing.map(\.level) == [.error])
        #expect(missing.first?.text.contains("Create the topic") == true)
    }

    @Test func aMissingClusterIsAnError() async throws {
        let preflight = try KafkaPreflight(brokers: "127.0.0.1:1", topic: "usage")
        let findings = await OwnedThread.run {
            preflight.runBlocking(timeoutMilliseconds: 500)
        }
        #expect(findings.map(\.level) == [.error])
    }

    @Test func settingsAreGraded() throws {
        let preflight = try KafkaPreflight(
            brokers: "127.0.0.1:1", topic: "usage", requiredRetentionSeconds: 1_000)
        func levels(_ told: [String: String], replicas: Int = 3) -> [KafkaPreflight.Level] {
            preflight.judge(told, replicaCount: replicas).map(\.level)
        }
        var good = [
            "min.insync.replicas": "2", "unclean.leader.election.enable": "false",
            "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
        ]
        #expect(Set(levels(good)) == [.fine])
        #expect(Set(levels([:])) == [.unknown])
        good["retention.ms"] = "1000000"
        #expect(Set(levels(good)) == [.fine])
        good["retention.ms"] = "999999"
        #expect(levels(good).filter { $0 == .warning }.count == 1)
        good["cleanup.policy"] = "compact,delete"
        good["unclean.leader.election.enable"] = "true"
        #expect(levels(good).filter { $0 == .error }.count == 2)
        good["min.insync.replicas"] = "3"
        #expect(levels(good).filter { $0 == .warning }.count == 2)
        good["min.insync.replicas"] = "many"
        #expect(levels(good).contains(.unknown))
    }
}
