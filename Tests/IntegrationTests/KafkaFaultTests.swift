import KafkaClient
import Testing

extension KafkaIntegration {
    /// Brokers that take records and do not say so, and brokers that are gone.
    @Suite(.serialized) struct KafkaFaults {
        private static let question =
            #"{"customer":"c5","feature":"calls","quantity":7,"id":"lost"}"#

        private func started(_ kafka: KafkaFixture) async throws -> TollgateServer {
            let server = try TollgateServer(
                catalog: TraceFixture.catalog,
                extra: kafka.flags + ["--kafka-property", "delivery.timeout.ms=1000"])
            try await server.start()
            return server
        }

        private func used(_ server: TollgateServer) async throws -> Int64 {
            try await server.decision("/v1/check", #"{"customer":"c5","feature":"calls"}"#).used
        }

        private static let reservation =
            #"{"customer":"c5","feature":"seats","quantity":80,"ttl_seconds":600,"id":"held"}"#

        @Test func aLostAcknowledgementIsChargedOnce() async throws {
            let kafka = try KafkaFixture(partitions: 2)
            let server = try await started(kafka)
            try kafka.cluster.setRoundTrip(milliseconds: 2_500)
            async let consuming = server.post("/v1/consume", Self.question)
            async let reserving = server.post("/v1/reservations", Self.reservation)
            for lost in try await [consuming, reserving] {
                #expect(lost.status == 503, "\(lost.text)")
                #expect(lost.headers["retry-after"] != nil)
            }
            try kafka.cluster.setRoundTrip(milliseconds: 0)
            #expect(try await answered(server, "/v1/consume", Self.question).allowed)
            let held = try await answered(server, "/v1/reservations", Self.reservation)
            #expect(held.allowed)
            let id = try #require(held.reservation_id)
            try await expect(server, used: 7, seats: 0, held: 80)

            try kafka.cluster.setRoundTrip(milliseconds: 2_500)
            let path = "/v1/reservations/\(id)/commit"
            let lost = try await server.post(path, #"{"quantity":30}"#)
            #expect(lost.status == 503, "\(lost.text)")
            try kafka.cluster.setRoundTrip(milliseconds: 0)
            #expect(try await answered(server, path, #"{"quantity":30}"#).committed == 30)
            try await expect(server, used: 7, seats: 30, held: 0)
            try await server.killAndRestart()
            try await expect(server, used: 7, seats: 30, held: 0)
        }

        /// Asks until the answer is not 503.
        private func answered(
            _ server: TollgateServer, _ path: String, _ body: String
        ) async throws -> DecisionAnswer {
            try await eventually("an answer to \(path)") {
                let answer = try await server.post(path, body)
                #expect([200, 503].contains(answer.status), "\(answer.text)")
                return answer.status == 200 ? try answer.read() : nil
            }
        }

        private func expect(
            _ server: TollgateServer, used: Int64, seats: Int64, held: Int64
        ) async throws {
            var expected: Set = [
                Totals.Row(customer: "c5", meter: "calls", count: 1, value: used)
            ]
            if seats > 0 {
                expected.insert(
                    Totals.Row(customer: "c5", meter: "seats", count: 1, value: seats))
            }
            #expect(try await server.settled(expected) == expected)
            #expect(try await self.used(server) == used)
            let check = try await server.decision(
                "/v1/check", #"{"customer":"c5","feature":"seats"}"#)
            #expect(check.used == seats)
            #expect(check.held == held)
            #expect(try await server.reconcile().drifts == [])
        }

        @Test func withoutABrokerNothingIsAcceptedAndNothingIsCharged() async throws {
            let kafka = try KafkaFixture(partitions: 2)
            let server = try await started(kafka)
            try kafka.cluster.takeDown()
            let event = Integration.BadInput.event(id: #""id":"down","#)
            let refused = try await server.post("/v1/events", event)
            #expect(refused.status == 503, "\(refused.text)")
            #expect(refused.headers["retry-after"] != nil)
            let denied = try await server.post("/v1/consume", Self.question)
            #expect(denied.status == 503, "\(denied.text)")
            // A check needs no broker.
            #expect(try await used(server) == 0)
            try kafka.cluster.bringUp()
            try await eventually("the event") { () -> Bool? in
                try await server.post("/v1/events", event).status == 202 ? true : nil
            }
            try await eventually("the admission") { () -> Bool? in
                try await server.post("/v1/consume", Self.question).status == 200 ? true : nil
            }
            let expected: Set = [
                Totals.Row(customer: "c5", meter: "calls", count: 1, value: 7),
                Totals.Row(customer: "c1", meter: "tokens", count: 1, value: 5),
                Totals.Row(customer: "c1", meter: "requests", count: 1, value: 1),
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await used(server) == 7)
            #expect(try await server.reconcile().drifts == [])
            #expect(try await server.stop() == 0)
        }
    }
}
