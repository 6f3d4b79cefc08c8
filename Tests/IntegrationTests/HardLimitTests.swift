import Testing

extension Integration {
    /// A crowd of clients against a hard limit of 10,000.
    @Suite(.serialized) struct HardLimit {
        @Test func admitsExactlyTheLimit() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let crowd = try await server.consumeUntilDenied(
                clients: 64, customer: "c1", feature: "calls")
            #expect(crowd.map(\.allowed.count).reduce(0, +) == 10_000)
            #expect(Set(crowd.map(\.lastReason)) == ["exhausted"])
            try await expectSpent(server, crowd)
            #expect(try await server.stop() == 0)
        }

        @Test func killsInBetweenNeverReopenTheLimit() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let allowed = Tally()
            async let crowding = server.consumeUntilDenied(
                clients: 64, customer: "c1", feature: "calls", allowed: allowed)
            for mark in [1_000, 5_000, 9_000] {
                try await eventually("\(mark) admissions") { allowed.value >= mark ? true : nil }
                try await server.killAndRestart()
            }
            let crowd = try await crowding
            // Every id was asked until it was answered, so nothing charged is missing here.
            #expect(crowd.map(\.allowed.count).reduce(0, +) == 10_000)
            try await expectSpent(server, crowd)
            try await server.killAndRestart()
            try await expectSpent(server, crowd)
            #expect(try await server.stop() == 0)
        }

        /// The ledger, the counter and the log agree, and known ids are answered from memory.
        private func expectSpent(
            _ server: TollgateServer, _ crowd: [TollgateServer.Consumer]
        ) async throws {
            let expected: Set = [
                Totals.Row(customer: "c1", meter: "calls", count: 10_000, value: 10_000)
            ]
            #expect(try await server.settled(expected) == expected)
            for id in crowd.prefix(20).compactMap(\.allowed.last) {
                let again = try await server.decision(
                    "/v1/consume",
                    #"{"customer":"c1","feature":"calls","quantity":1,"id":"\#(id)"}"#)
                #expect(again.allowed, "\(id) was charged and is allowed when asked again")
            }
            let fresh = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls","quantity":1}"#)
            #expect(!fresh.allowed)
            #expect(fresh.reason == "exhausted")
            #expect(fresh.used == 10_000)
            #expect(fresh.remaining == 0)
            let report = try await server.reconcile()
            #expect(report.drifts == [])
            let alerts = try await server.alerts()
            #expect(alerts.map(\.threshold).sorted() == ["100%", "80%"])
        }

        @Test func oneIDAskedByManyIsOneCharge() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let body = #"{"customer":"c1","feature":"calls","quantity":9000,"id":"same"}"#
            let answers = try await withThrowingTaskGroup(of: DecisionAnswer.self) { group in
                for _ in 0..<16 {
                    group.addTask { try await server.decision("/v1/consume", body) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.allowed && $0.used == 9_000 })
            let check = try await server.decision(
                "/v1/check", #"{"customer":"c1","feature":"calls"}"#)
            #expect(check.used == 9_000)
        }

        /// With durability `fast` an answer does not wait for the log, but an orderly end does.
        @Test func anOrderlyEndKeepsFastAdmissions() async throws {
            let catalog = TraceFixture.catalog.replacing(
                "calls: {limit: 10000,", with: "calls: {durability: fast, limit: 10000,")
            let server = try TollgateServer(catalog: catalog)
            try await server.start()
            let count = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await onThread {
                            let connection = try HTTPConnection(port: server.port)
                            let body = Array(#"{"customer":"c1","feature":"calls"}"#.utf8)
                            for _ in 0..<50 {
                                _ = try connection.send("POST", "/v1/consume", body: body)
                            }
                            return 50
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(try await server.stop() == 0)
            try await server.start()
            let check = try await server.decision(
                "/v1/check", #"{"customer":"c1","feature":"calls"}"#)
            #expect(check.used == Int64(count))
        }

        @Test func anIdIsChargedOnceAndKeepsItsQuantity() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let body = #"{"subject":"key_2","feature":"calls","quantity":40,"id":"a"}"#
            let first = try await server.decision("/v1/consume", body)
            #expect(first.allowed)
            #expect(first.used == 40)
            try await server.killAndRestart()
            let again = try await server.decision("/v1/consume", body)
            #expect(again.allowed)
            #expect(again.used == first.used)
            let conflict = try await server.post(
                "/v1/consume", #"{"subject":"key_2","feature":"calls","quantity":41,"id":"a"}"#)
            #expect(conflict.status == 409)
            let check = try await server.decision(
                "/v1/check", #"{"subject":"key_2","feature":"calls","quantity":1}"#)
            #expect(check.used == 40)
        }
    }
}
