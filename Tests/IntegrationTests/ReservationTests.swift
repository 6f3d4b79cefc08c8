import Testing

extension Integration {
    /// Holds survive the end of the process that gave them.
    @Suite(.serialized) struct Reservations {
        @Test func holdsOutliveTheProcess() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let body =
                #"{"customer":"c3","feature":"seats","quantity":600,"ttl_seconds":3600,"id":"r1"}"#
            let held = try await server.decision("/v1/reservations", body)
            #expect(held.allowed)
            let id = try #require(held.reservation_id)
            try await server.killAndRestart()

            let again = try await server.decision("/v1/reservations", body)
            #expect(again.reservation_id == id)
            let check = try await state(server)
            #expect(check.held == 600)
            #expect(check.used == 0)
            #expect(try await consume(server, 401).reason == "held")
            #expect(try await consume(server, 400).allowed)

            let commit = try await server.decision(
                "/v1/reservations/\(id)/commit", #"{"quantity":412}"#)
            #expect(commit.committed == 412)
            #expect(commit.state == "committed")
            try await server.killAndRestart()
            let repeated = try await server.decision(
                "/v1/reservations/\(id)/commit", #"{"quantity":412}"#)
            #expect(repeated.committed == 412)
            let after = try await state(server)
            #expect(after.held == 0)
            #expect(after.used == 812)
            let released = try await server.post("/v1/reservations/\(id)/release", "")
            #expect(released.status == 409)

            let expected: Set = [
                Totals.Row(customer: "c3", meter: "seats", count: 2, value: 812)
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.reconcile().drifts == [])
        }

        @Test func whatIsReleasedOrExpiredIsFreeAgain() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            func reserve(_ id: String, _ quantity: Int, seconds: Int) async throws -> String? {
                try await server.decision(
                    "/v1/reservations",
                    #"{"customer":"c3","feature":"seats","quantity":\#(quantity),"#
                        + #""ttl_seconds":\#(seconds),"id":"\#(id)"}"#
                ).reservation_id
            }
            let released = try #require(try await reserve("a", 300, seconds: 3_600))
            let expiring = try #require(try await reserve("b", 200, seconds: 2))
            try await server.killAndRestart()
            let answer = try await server.decision("/v1/reservations/\(released)/release", "")
            #expect(answer.state == "released")
            try await eventually("the end of the short hold") {
                try await state(server).held == 0 ? true : nil
            }
            try await server.killAndRestart()
            let check = try await state(server)
            #expect(check.held == 0)
            #expect(check.used == 0)
            #expect(try await consume(server, 1_000).allowed)
            let late = try await server.post("/v1/reservations/\(expiring)/commit", "")
            #expect(late.status == 409)
            let unknown = try await server.post("/v1/reservations/rsv-none/commit", "")
            #expect(unknown.status == 404)
            #expect(try await server.reconcile().drifts == [])
        }

        @Test func oneIDIsOneHold() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let body = #"{"customer":"c3","feature":"seats","quantity":100,"id":"same"}"#
            let ids = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await server.decision("/v1/reservations", body).reservation_id
                    }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            let id = try #require(ids.first ?? nil)
            #expect(ids.count == 1)
            #expect(try await state(server).held == 100)
            _ = try await server.decision("/v1/reservations/\(id)/commit", #"{"quantity":60}"#)
            for isRestarted in [false, true] {
                if isRestarted { try await server.killAndRestart() }
                // The id has had its hold; asking again tells what became of it.
                let again = try await server.decision("/v1/reservations", body)
                #expect(again.reservation_id == id)
                #expect(again.state == "committed")
                #expect(again.committed == 60)
                let check = try await state(server)
                #expect(check.held == 0)
                #expect(check.used == 60)
            }
            let other = try await server.post(
                "/v1/reservations",
                #"{"customer":"c3","feature":"seats","quantity":101,"id":"same"}"#)
            #expect(other.status == 409, "\(other.text)")
        }

        private func state(_ server: TollgateServer) async throws -> DecisionAnswer {
            try await server.decision(
                "/v1/check", #"{"customer":"c3","feature":"seats","quantity":1}"#)
        }

        private func consume(
            _ server: TollgateServer, _ quantity: Int
        ) async throws -> DecisionAnswer {
            try await server.decision(
                "/v1/consume", #"{"customer":"c3","feature":"seats","quantity":\#(quantity)}"#)
        }
    }
}
