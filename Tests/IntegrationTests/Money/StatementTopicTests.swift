import KafkaClient
import MeteringModel
import Testing

extension KafkaIntegration {
    /// Closed statements that a topic is told by a server that is killed meanwhile.
    @Suite(.serialized) struct StatementTopics {
        private static let topic = "statements"
        /// Lines that the topic has acknowledged, as far as this process knows.
        private func sent(_ server: TollgateServer) async throws -> Double {
            let metrics = try Metrics(try await server.admin("/metrics").text)
            return metrics[#"tollgate_export_rows_total{target="topic",result="sent"}"#] ?? 0
        }

        private func close(_ server: TollgateServer, _ month: String) async throws {
            _ = try await server.client("billing", "close", month, "--reason", "invoices go out")
        }

        /// Lines of the month's file.
        private func lines(_ server: TollgateServer, _ month: String) async throws -> [String] {
            let file = try await server.get("/v1/statements/export?month=\(month)&format=ndjson")
            return file.text.split(separator: "\n").map(String.init)
        }

        @Test func everyClosedLineReachesTheTopicOnceByID() async throws {
            let kafka = try KafkaFixture(partitions: 2, brokers: 2)
            try kafka.cluster.createTopic(Self.topic, partitions: 3, on: KafkaFixture.far)
            let (older, newer) = (MoneyFixture.month(before: 2), MoneyFixture.month(before: 1))
            let server = try await Integration.StatementFiles.server(
                older,
                extra: kafka.flags + [
                    "--kafka-property", "delivery.timeout.ms=1000", "--statements-topic",
                    Self.topic,
                ])
            try await server.use([
                .init("newer", "wide", 500, at: newer.start.adding(seconds: 86_400))
            ])
            try await close(server, older.name)
            let first = try await lines(server, older.name)
            #expect(first.count == 5)
            try await eventually("the older month is sent") {
                try await sent(server) >= Double(first.count) ? true : nil
            }

            // Taken, but nobody says so in time; the server is killed before it hears of it.
            try kafka.cluster.setRoundTrip(milliseconds: 2_500, broker: KafkaFixture.far)
            try await close(server, newer.name)
            try await eventually("a failure") {
                server.child?.errors.contains("statement lines do not reach the topic") == true
                    ? true : nil
            }
            try await server.killAtOnce()
            try kafka.cluster.setRoundTrip(milliseconds: 0, broker: KafkaFixture.far)
            try await server.start()
            let second = try await lines(server, newer.name)
            #expect(second.count == 3)
            try await eventually("the newer month is sent") {
                try await sent(server) >= Double(second.count) ? true : nil
            }

            let lines = first + second
            let found = try await kafka.arrivals(
                in: Self.topic, partitions: 3, idCount: lines.count)
            // The newer month's first statement came again after the kill; the older month did not.
            #expect(found.count > lines.count)
            #expect(found.filter { first.contains($0.text) }.count == first.count)
            #expect(found.changedIDs.isEmpty, "\(found.changedIDs)")
            try expect(found.firsts, are: lines)
            #expect(try await server.stop() == 0)
        }

        /// Records are the lines of the NDJSON files, each customer's in the files' order.
        private func expect(_ records: [KafkaFixture.Arrival], are lines: [String]) throws {
            #expect(records.count == lines.count)
            for customer in ["acme", "tiny", "wide"] {
                let own = records.filter { $0.key == customer }
                #expect(Set(own.map(\.partition)).count == 1)
                #expect(
                    own.map(\.text) == lines.filter { $0.contains(#""customer":"\#(customer)""#) })
            }
            for record in records {
                let document = try #require(record.document)
                #expect(document["customer"]?.text == record.key)
                #expect(document["line"]?["id"]?.text == record.id)
                #expect(Set(record.headers.keys) == ["content-type", "id"])
                #expect(record.headers["content-type"] == "application/json")
            }
        }
    }
}
