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

        @Test func aLostAcknowledgementIsChargedOnce() async throws {
            let kafka = try KafkaFixture(partitions: 2)
            let server = try await started(kafka)
            try kafka.cluster.setRoundTrip(milliseconds: 2_500)
            let lost = try await server.post("/v1/consume", Self.question)
            #expect(lost.status == 503, "\(lost.text)")
            #expect(lost.headers["retry-after"] != nil)
            try kafka.cluster.setRoundTrip(milliseconds: 0)
            let again = try await eventually("an answer") { () -> DecisionAnswer? in
                let answer = try await server.post("/v1/consume", Self.question)
                return answer.status == 200 ? try answer.read() : nil
            }
            #expect(again.allowed)
            try await expectSeven(server)
            try await server.killAndRestart()
            try await expectSeven(server)
        }

        private func expectSeven(_ server: TollgateServer) async throws {
            let expected: Set = [
                Totals.Row(customer: "c5", meter: "calls", count: 1, value: 7)
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await used(server) == 7)
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
