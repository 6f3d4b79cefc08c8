import Foundation
import MeteringModel
import MeteringPorts
import SQLAlerts
import Synchronization
import Testing

@testable import Alerting

/// The sink of the issue: drops half of the calls, is killed for an hour, and in the end has every
/// crossing exactly once by id, in order per endpoint.
@Suite("Outage") struct OutageTests {
    @Test("half dropped, dead for an hour", arguments: [1, 2] as [UInt64])
    func halfAndHour(seed: UInt64) async throws {
        let scene = try Scene()
        try await scene.webhook("plain", #""digest": false"#)
        try await scene.webhook("digest")
        try await scene.webhook("late", #""filter": {"customers": ["c1", "c2"]}, "digest": false"#)
        let numbers = Mutex(SeededNumbers(seed: seed))
        let clock = scene.clock
        let dead = start.adding(seconds: 1_200)..<start.adding(seconds: 4_800)
        for host in ["plain", "digest", "late"] {
            scene.sink.script("\(host).example") { _, _ in
                if dead.contains(clock.now) {
                    return .failure(OutboundFailure(code: .unreachable, message: "dead"))
                }
                switch numbers.withLock({ Int.random(in: 0..<4, using: &$0) }) {
                case 0: return FakeSink.status(500)
                // Taken, but the answer is lost: the same id comes again.
                case 1: return FakeSink.dropped
                default: return FakeSink.ok
                }
            }
        }
        for number in 0..<300 {
            scene.feed.append(
                .reached, at: clock.now, crossing("c\(number % 7)", period: Int64(number)))
            if number % 50 == 25 { try await scene.restart() }
            try await scene.run(seconds: 10)
        }
        let deadEnd = max(clock.now, dead.upperBound)
        clock.move(to: deadEnd)
        try await scene.run(seconds: 4 * 3_600)
        let all = scene.feed.all.map { $0.crossing.crossing }
        #expect(scene.sink.messages("plain.example") == all.map(\.id), "seed \(seed)")
        #expect(scene.sink.messages("digest.example") == all.map(\.id), "seed \(seed)")
        #expect(
            scene.sink.messages("late.example")
                == all.filter { ["c1", "c2"].contains($0.customer.rawValue) }.map(\.id),
            "seed \(seed)")
        #expect(try scene.store.lines().isEmpty)
        // The line that was waiting is told in few requests.
        #expect(
            Set(scene.sink.attempts("digest.example")).count
                < Set(scene.sink.attempts("plain.example")).count)
    }

    @Test("an outage of an hour is over soon after its end") func soon() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false"#)
        let clock = scene.clock
        let end = start.adding(seconds: 3_600)
        scene.sink.script("one.example") { _, _ in
            clock.now < end ? FakeSink.status(503) : FakeSink.ok
        }
        for number in 0..<40 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.run(seconds: 3_600 + 8 * 60)
        #expect(scene.sink.messages("one.example").count == 40)
    }

    @Test("a kill after any step of the store loses nothing and tells nothing twice by id")
    func killedAnywhere() async throws {
        var callCount = 1
        var hasFinished = false
        while !hasFinished {
            let scene = try Scene()
            try await scene.webhook("one", #""digest": {"over": 3}"#)
            try await scene.webhook("two", #""digest": false"#)
            let limit = callCount
            for isLost in [false, true] {
                var killer: KilledStore?
                try await scene.restart { store in
                    let made = KilledStore(store, after: limit, losesLast: isLost)
                    killer = made
                    return made
                }
                for number in 0..<6 {
                    scene.feed.append(
                        .reached, at: start, crossing("c\(number)\(isLost)", period: 1))
                }
                do { try await scene.settle() } catch is LedgerError {}
                hasFinished = killer?.wasKilled == false
                try await scene.restart()
                try await scene.run(seconds: 3_600)
            }
            let expected = scene.feed.all.map { $0.crossing.crossing.id }
            #expect(scene.sink.messages("one.example") == expected, "killed at \(limit)")
            #expect(scene.sink.messages("two.example") == expected, "killed at \(limit)")
            // A repetition carries what the first one carried.
            for host in ["one.example", "two.example"] {
                var bodies: [String: String] = [:]
                for received in scene.sink.received(host) {
                    #expect(bodies[received.id, default: received.body] == received.body)
                    bodies[received.id] = received.body
                }
            }
            callCount += 1
            if callCount > 200 { break }
        }
        #expect(callCount > 10)
    }

    @Test("a ledger that was made anew tells nothing twice and leaves nothing out")
    func rebuiltLedger() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false"#)
        for number in 0..<5 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.settle()
        // The same crossings in another order, and one that the old ledger did not have.
        let rebuilt = MemoryFeed()
        for name in ["c3", "new", "c0", "c1", "c4", "c2"] {
            rebuilt.append(.reached, at: start, crossing(name))
        }
        scene.feed.replaceAll(rebuilt.all)
        try await scene.restart()
        try await scene.settle()
        let expected = (0..<5).map { crossing("c\($0)").id } + [crossing("new").id]
        #expect(scene.sink.messages("one.example") == expected)
        #expect(scene.sink.attemptCount == 6)
        // Empty for a while, as during a rebuild; then there again.
        scene.feed.replaceAll([])
        try await scene.restart()
        try await scene.settle()
        scene.feed.replaceAll(rebuilt.all)
        try await scene.settle()
        #expect(scene.sink.attemptCount == 6)
    }

    @Test("what was crossed before the first start is told to nobody, but can be sent")
    func primed() async throws {
        let before = MemoryFeed()
        for number in 0..<3 { before.append(.reached, at: start, crossing("c\(number)")) }
        let scene = try Scene(past: before.all)
        try await scene.webhook("one", #""digest": false"#)
        try await scene.settle()
        #expect(scene.sink.attemptCount == 0)
        scene.feed.append(.reached, at: start, crossing("c3"))
        try await scene.settle()
        #expect(scene.sink.messages("one.example") == [crossing("c3").id])
        scene.clock.advance(seconds: 1)
        let range = #"{"from": "2026-01-01T00:00:00Z", "to": "2028-01-01T00:00:00Z"}"#
        let answer = try await scene.perform(.resendRange("one"), range)
        #expect(answer.body["queued"]?.integer == 4)
        try await scene.settle()
        #expect(
            scene.sink.attempts("one.example").suffix(4)
                == (0..<4).map { crossing("c\($0)").id }[...])
    }
}
