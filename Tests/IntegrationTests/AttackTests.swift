import Testing

extension Integration {
    /// Ways in which the whole program was broken once.
    @Suite(.serialized) struct Attacks {
        private struct Decisions: Decodable { var decisions: [DecisionAnswer] }

        @Test(arguments: [1, 2, 64, 70, 300])
        func aBatchHasOneDecisionAQuestion(_ count: Int) async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let questions = Array(
                repeating: #"{"customer":"c3","feature":"seats","quantity":5}"#, count: count)
            let answer = try await server.post(
                "/v1/consume", #"{"checks":["# + questions.joined(separator: ",") + "]}")
            #expect(answer.status == 200, "\(answer.text)")
            let decisions = try answer.read(Decisions.self).decisions
            let allowed = decisions.filter(\.allowed).count
            #expect(decisions.count == count)
            #expect(allowed == min(count, 200))
        }

        @Test func aMeterWithUsageKeepsItsAggregation() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let ask = #"{"customer":"c3","feature":"seats","quantity":5}"#
            #expect(try await server.decision("/v1/consume", ask).allowed)
            let changed = TraceFixture.catalog.replacing(
                "event_type: seat.used, aggregation: count",
                with: "event_type: seat.used, aggregation: sum, value: $.n")
            for refused in [changed, "{}"] {
                let answer = try await server.post(
                    "/v1/catalog", refused, type: "application/yaml")
                #expect(answer.status == 422, "\(answer.text)")
            }
            #expect(try await server.decision("/v1/consume", ask).allowed)
            let expected: Set = [Totals.Row(customer: "c3", meter: "seats", count: 2, value: 10)]
            #expect(try await server.settled(expected) == expected)
        }

        @Test func aLimitLoweredBelowTheUsageIsAnnouncedOnce() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let ask = #"{"customer":"c3","feature":"seats","quantity":700}"#
            #expect(try await server.decision("/v1/consume", ask).allowed)
            let expected: Set = [
                Totals.Row(customer: "c3", meter: "seats", count: 1, value: 700)
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.alerts().isEmpty)
            for limit in [600, 500] {
                let lowered = TraceFixture.catalog.replacing(
                    "seats: {limit: 1000,", with: "seats: {limit: \(limit),")
                let answer = try await server.post(
                    "/v1/catalog?migrate=true", lowered, type: "application/yaml")
                #expect(answer.status == 200, "\(answer.text)")
                let alerts = try await server.alerts()
                #expect(alerts.map(\.threshold) == ["100%"])
                #expect(alerts.map(\.used_after) == [700])
            }
        }
    }
}
