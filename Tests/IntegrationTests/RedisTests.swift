import Testing

extension Integration {
    /// The embedded log with counters in a real Redis.
    @Suite(.serialized) struct Redis {
        @Test func admitsExactlyTheLimit() async throws {
            let redis = try await RedisServer()
            let server = try TollgateServer(
                catalog: TraceFixture.catalog, extra: ["--redis", redis.url])
            try await server.start()
            try await eventuallyHealthy(server)
            let allowed = Tally()
            async let crowding = server.consumeUntilDenied(
                clients: 64, customer: "c1", feature: "calls", allowed: allowed)
            try await eventually("half of it") { allowed.value >= 5_000 ? true : nil }
            try await redis.command("FLUSHALL")
            let crowd = try await crowding
            #expect(crowd.map(\.allowed.count).reduce(0, +) == 10_000)
            let expected: Set = [
                Totals.Row(customer: "c1", meter: "calls", count: 10_000, value: 10_000)
            ]
            #expect(try await server.settled(expected) == expected)
            try await eventuallyLevel(server)
            let fresh = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls"}"#)
            #expect(fresh.reason == "exhausted")
            #expect(try await server.stop() == 0)
        }

        @Test func anOutageFollowsThePolicyAndHeals() async throws {
            let redis = try await RedisServer()
            let server = try TollgateServer(
                catalog: TraceFixture.catalog, extra: ["--redis", redis.url])
            try await server.start()
            try await eventuallyHealthy(server)
            let trace = try TraceFixture(rowCount: 1_000)
            let batches = trace.batches(of: 100)
            try await server.importEvents(Array(batches[..<5]))
            let body = #"{"customer":"c1","feature":"calls","quantity":5}"#
            #expect(try await server.decision("/v1/consume", body).allowed)

            try await redis.killAtOnce()
            let denied = try await eventually("the outage") { () -> DecisionAnswer? in
                let decision = try await server.decision("/v1/consume", body)
                return decision.allowed ? nil : decision
            }
            #expect(denied.reason == "degraded")
            // Metering does not depend on Redis.
            try await server.importEvents(Array(batches[5...]))
            let readiness: Readiness = try await server.admin("/readyz").read()
            #expect(readiness.details["redis"]?.contains("degraded") == true)

            try await redis.start()
            try await eventuallyHealthy(server)
            let again = try await eventually("an admission") { () -> DecisionAnswer? in
                let decision = try await server.decision("/v1/consume", body)
                return decision.allowed ? decision : nil
            }
            #expect(again.mode == "exact")
            try await eventuallyLevel(server)
            let tokens = try await server.totals().filter { $0.meter != "calls" }
            #expect(tokens == trace.totals)
            #expect(try await server.stop() == 0)
        }

        @Test func holdsSurviveAnEmptyStore() async throws {
            let redis = try await RedisServer()
            let server = try TollgateServer(
                catalog: TraceFixture.catalog, extra: ["--redis", redis.url])
            try await server.start()
            try await eventuallyHealthy(server)
            let held = try await server.decision(
                "/v1/reservations",
                #"{"customer":"c3","feature":"seats","quantity":600,"ttl_seconds":600,"id":"r"}"#)
            let id = try #require(held.reservation_id)
            func consume(_ quantity: Int, id: String) async throws -> DecisionAnswer {
                try await server.decision(
                    "/v1/consume",
                    #"{"customer":"c3","feature":"seats","quantity":\#(quantity),"id":"\#(id)"}"#)
            }
            #expect(try await consume(300, id: "one").allowed)
            for round in 1...2 {
                if round == 1 {
                    try await redis.command("FLUSHALL")
                } else {
                    try await server.killAndRestart()
                }
                let tooMuch = try await eventually("an answer from Redis") {
                    () -> DecisionAnswer? in
                    let decision = try await consume(101, id: "much-\(round)")
                    return decision.reason == "degraded" ? nil : decision
                }
                #expect(!tooMuch.allowed)
                #expect(tooMuch.held == 600)
                #expect(tooMuch.used == 300)
            }
            let commit = try await server.decision(
                "/v1/reservations/\(id)/commit", #"{"quantity":500}"#)
            #expect(commit.committed == 500)
            let last = try await eventually("an answer from Redis") { () -> DecisionAnswer? in
                let decision = try await consume(200, id: "rest")
                return decision.reason == "degraded" ? nil : decision
            }
            #expect(last.allowed)
            #expect(last.remaining == 0)
            try await eventuallyLevel(server)
            let expected: Set = [
                Totals.Row(customer: "c3", meter: "seats", count: 3, value: 1_000)
            ]
            #expect(try await server.settled(expected) == expected)
        }

        /// A Redis that stands still is worse than one that is gone: it may still act later.
        @Test func aStoreThatStandsStillIsNotWaitedFor() async throws {
            let redis = try await RedisServer()
            let server = try TollgateServer(
                catalog: TraceFixture.catalog, extra: ["--redis", redis.url])
            try await server.start()
            try await eventuallyHealthy(server)
            let body = #"{"customer":"c1","feature":"calls","quantity":5}"#
            #expect(try await server.decision("/v1/consume", body).allowed)
            redis.pause()
            for _ in 0..<3 {
                let denied = try await server.decision("/v1/consume", body)
                #expect(denied.reason == "degraded")
            }
            redis.resume()
            try await eventuallyHealthy(server)
            try await eventuallyLevel(server)
            // What reached Redis during the pause was answered "no" and is not usage. Its five
            // units may stay granted there to the end of the period: too few, never too many.
            let check = try await server.decision(
                "/v1/check", #"{"customer":"c1","feature":"calls"}"#)
            #expect(check.used == 5)
            let rest = try await eventually("an answer from Redis") { () -> DecisionAnswer? in
                let decision = try await server.decision(
                    "/v1/consume", #"{"customer":"c1","feature":"calls","quantity":9990}"#)
                return decision.reason == "degraded" ? nil : decision
            }
            #expect(rest.allowed, "\(rest)")
            let over = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls","quantity":6}"#)
            #expect(!over.allowed)
            #expect(try await server.stop() == 0)
        }

        private func eventuallyHealthy(_ server: TollgateServer) async throws {
            try await eventually("Redis in use") { () -> Bool? in
                let readiness: Readiness = try await server.admin("/readyz").read()
                return readiness.details["redis"] == "ok" ? true : nil
            }
        }

        private func eventuallyLevel(_ server: TollgateServer) async throws {
            try await eventually("Redis level with the ledger") { () -> Bool? in
                let report = try await server.reconcile()
                return report.drifts.isEmpty && report.notes.isEmpty ? true : nil
            }
        }
    }
}
