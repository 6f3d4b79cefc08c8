import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@testable import HTTPAPI

@Suite struct RateLimitTests {
    private static let start: Int64 = 1_795_256_103_000_000

    @Test func bucketsFillAtTheirRate() throws {
        let limiter = try #require(RateLimiter(ratePerSecond: 10, burst: 3))
        func take(_ name: String, _ microseconds: Int64) -> Int64? {
            limiter.take(from: name, now: Timestamp(microseconds: Self.start + microseconds))
        }
        for _ in 0..<3 { #expect(take("a", 0) == nil) }
        #expect(take("a", 0) == 100_000)
        #expect(take("b", 0) == nil)
        #expect(take("a", 99_999) == 1)
        #expect(take("a", 100_000) == nil)
        #expect(take("a", 100_000) == 100_000)
        // Never more than the burst, however long nobody asked.
        for _ in 0..<3 { #expect(take("a", 60_000_000) == nil) }
        #expect(take("a", 60_000_000) != nil)
        // A clock that goes back does not shut a caller out for long.
        #expect(take("a", -60_000_000) == 100_000)
        #expect(RateLimiter(ratePerSecond: 0, burst: 9) == nil)
    }

    @Test func bucketsAreBounded() throws {
        let limiter = try #require(RateLimiter(ratePerSecond: 1, burst: 1))
        let now = Timestamp(microseconds: Self.start)
        for index in 0..<RateLimiter.bucketCountMax {
            #expect(limiter.take(from: "caller \(index)", now: now) == nil)
        }
        // One bucket for all further ones.
        #expect(limiter.take(from: "late", now: now) == nil)
        #expect(limiter.take(from: "later", now: now) != nil)
        #expect(limiter.bucketCount <= RateLimiter.bucketCountMax + 1)
        let then = Timestamp(microseconds: Self.start + 2_000_000)
        #expect(limiter.take(from: "later", now: then) == nil)
        #expect(limiter.bucketCount < 10)
    }

    /// A clock that is put where a test wants it.
    private final class Clock: Sendable {
        private let microseconds = Mutex(RateLimitTests.start)
        func advance(by amount: Int64) { microseconds.withLock { $0 += amount } }
        var wall: WallClock {
            WallClock { [self] in Timestamp(microseconds: microseconds.withLock { $0 }) }
        }
    }

    @Test func requestsOfAKeyAreLimited() async throws {
        let clock = Clock()
        try await Harness.run {
            $0.clock = clock.wall
            $0.rateLimitPerSecond = 2
            $0.rateLimitBurst = 4
        } _: { server in
            server.access.add("tg_a", scopes: [.readUsage, .check, .writeEvents])
            server.access.add("tg_b", scopes: [.readUsage])
            func get(_ key: String) async throws -> Reply {
                try await server.send(
                    "GET", "/v1/customers", headers: [("Authorization", "Bearer " + key)])
            }
            for _ in 0..<4 { #expect(try await get("tg_a").status == 200) }
            let refused = try await get("tg_a")
            #expect(refused.status == 429 && refused.code == "rate_limited")
            #expect(refused.headers["retry-after"] == "1")
            #expect(refused.headers["ratelimit-policy"] == "\"requests\";q=4;w=2")
            #expect(refused.headers["ratelimit"] == "\"requests\";r=0;t=1")
            #expect(try refused.json["violated-policies"] as? [String] == ["requests"])
            #expect(try await get("tg_b").status == 200)
            let check = try await server.send(
                "POST", "/v1/check", #"{"customer":"acme","feature":"tokens"}"#,
                headers: [("Authorization", "Bearer tg_a")])
            #expect(check.status == 200)
            clock.advance(by: 500_000)
            #expect(try await get("tg_a").status == 200)
            #expect(try await get("tg_a").status == 429)
        }
    }

    @Test func checksHaveALimitOfTheirOwn() async throws {
        try await Harness.run {
            $0.checkRateLimitPerSecond = 3
        } _: { server in
            let body = #"{"customer":"acme","feature":"tokens"}"#
            var statuses: [Int] = []
            for _ in 0..<8 {
                statuses.append(try await server.send("POST", "/v1/consume", body).status)
            }
            #expect(statuses == [200, 200, 200, 200, 200, 200, 429, 429])
            let event = try await server.send(
                "POST", "/v1/events", #"{"id":"1"}"#,
                headers: [("Content-Type", "application/json")])
            #expect(event.status == 429)
            #expect(try await server.send("GET", "/v1/near-limit").status == 200)
        }
    }

    @Test func loopbackWithoutKeysIsExemptUnlessSet() async throws {
        try await Harness.run { server in
            try await server.connect { wire in
                for _ in 0..<450 {
                    try await wire.send(Harness.request("GET", "/v1/customers"))
                    #expect(try await wire.reply().status == 200)
                }
            }
            server.access.add("tg_some", scopes: [.readUsage])
            // The webhook has no key: the address is counted.
            try await server.connect { wire in
                var refusedCount = 0
                for _ in 0..<410 {
                    try await wire.send(
                        Harness.request("GET", "/.well-known/jwks.json"))
                    if try await wire.reply().status == 429 { refusedCount += 1 }
                }
                #expect(refusedCount == 10)
            }
        }
        try await Harness.run {
            $0.rateLimitPerSecond = 1
        } _: { server in
            var statuses: [Int] = []
            for _ in 0..<3 { statuses.append(try await server.send("GET", "/v1/customers").status) }
            #expect(statuses == [200, 200, 429])
        }
    }
}
