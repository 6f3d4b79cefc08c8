import KafkaClient
import MeteringModel
import Testing

extension KafkaIntegration {
    /// Crossings that a topic is told: its broker is slow or away, and the server is killed.
    @Suite(.serialized) struct AlertTopics {
        private static let topic = "told"
        private static let customers = (1...6).map { "c\($0)" }

        private func started(_ kafka: KafkaFixture) async throws -> TollgateServer {
            let server = try TollgateServer(
                catalog: AlertFixture.catalog,
                extra: kafka.flags + ["--kafka-property", "delivery.timeout.ms=1000"])
            try await server.start()
            for customer in Self.customers { try await server.customer(customer, plan: "small") }
            try await server.change(
                "PUT", "/v1/alert-endpoints/main",
                #"{"kind":"kafka","topic":"\#(Self.topic)","settle_seconds":0}"#)
            return server
        }

        private func useAll(_ server: TollgateServer, _ round: Int, _ tokens: Int64) async throws {
            try await server.use(Self.customers.map { .init("\($0)-\(round)", $0, tokens) })
        }

        /// Waits for so many messages; somebody enables the endpoint now and then, which has it
        /// tried at once.
        private func hurry(_ server: TollgateServer, until count: Int) async throws {
            let path = "/v1/alert-endpoints/main/deliveries?state=delivered"
            try await eventually("\(count) messages") {
                if try await server.items(path).count >= count { return true }
                try await server.enable(endpoint: "main")
                try await Task.sleep(for: .milliseconds(300))
                return nil
            }
        }

        @Test func everyCrossingReachesTheTopicOnceByIDInOrder() async throws {
            let kafka = try KafkaFixture(partitions: 2, brokers: 2)
            try kafka.cluster.createTopic(Self.topic, partitions: 3, on: KafkaFixture.far)
            let server = try await started(kafka)

            // A test message belongs to no customer. It also makes the connection, so that what
            // comes next is sent at once.
            let test = try await server.change("POST", "/v1/alert-endpoints/main/test", "{}")
            #expect(test["delivered"]?.flag == true, "\(test)")

            // Taken, but nobody says so in time; the server is killed before it hears of it.
            try kafka.cluster.setRoundTrip(milliseconds: 2_500, broker: KafkaFixture.far)
            try await useAll(server, 1, 50)
            try await server.waitUntil("failing", endpoint: "main")
            try await server.killAtOnce()
            try kafka.cluster.setRoundTrip(milliseconds: 0, broker: KafkaFixture.far)
            try await server.start()
            try await hurry(server, until: 6)

            // Away while the server dies, and still away afterwards.
            try kafka.cluster.takeDown(broker: KafkaFixture.far)
            try await useAll(server, 2, 50)
            try await server.waitUntil("failing", endpoint: "main")
            try await server.killAndRestart()
            try await useAll(server, 3, 20)
            #expect(try await server.state(ofEndpoint: "main") == "failing")
            try kafka.cluster.bringUp(broker: KafkaFixture.far)
            try await hurry(server, until: 24)

            let expected = try await server.crossings()
            #expect(expected.count == 24)
            let all = try await kafka.arrivals(in: Self.topic, partitions: 3, idCount: 25)
            let found = all.filter { !$0.key.isEmpty }
            expectOnceInOrder(found, expected)
            // What was taken the first time came again after the kill.
            #expect(found.count >= 30)
            for arrival in found.firsts { expectForm(arrival) }
            let tested = all.filter { $0.key.isEmpty }
            #expect(tested.map(\.id) == [test["id"]?.text])
            #expect(tested.first?.document?["type"]?.text == "alerts.test")
            #expect(try await server.stop() == 0)
        }

        private func expectOnceInOrder(
            _ found: [KafkaFixture.Arrival], _ expected: [AlertFixture.Told]
        ) {
            let firsts = found.firsts
            #expect(firsts.count == expected.count)
            #expect(found.changedIDs.isEmpty, "\(found.changedIDs)")
            for partition in Set(firsts.map(\.partition)) {
                let here = firsts.filter { $0.partition == partition }
                let customers = Set(here.map(\.key))
                #expect(
                    here.map(\.id)
                        == expected.filter { customers.contains($0.customer) }.map(\.id))
            }
        }

        /// A record's form, as the endpoint's description tells it.
        private func expectForm(_ arrival: KafkaFixture.Arrival) {
            let document = arrival.document
            #expect(Set(arrival.headers.keys) == ["content-type", "id"])
            #expect(arrival.headers["content-type"] == "application/json")
            #expect(document?["data"]?["id"]?.text == arrival.id, "\(arrival.text)")
            #expect(document?["data"]?["customer"]?.text == arrival.key)
            #expect(document?["type"] == document?["data"]?["type"])
            #expect(
                document?["timestamp"]?.text.flatMap { Timestamp(rfc3339: $0) } != nil,
                "\(arrival.text)")
        }
    }
}
