import Enforcement
import Entitlements
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

/// Limits that change at an instant: exact to the second, under any number of clients.
@Suite struct EnforcementWindowTests {
    typealias Scene = EnforcementScene
    static let noon = Timestamp(seconds: 1_795_262_400)  // 2026-11-21T12:00:00Z
    static let before = "2026-11-21T11:59:59Z"
    static let after = "2026-11-21T12:00:00Z"

    @Test func aSubscriptionEndsAtItsEndNotBefore() async throws {
        let scene = try Scene(
            [Scene.contract("acme", end: Self.noon)], plans: [Scene.plan(calls: .finite(10))],
            at: "2026-11-21T10:00:00Z")
        #expect(try await scene.consume("acme", 2).isAllowed)
        scene.clock.set(Self.before)
        #expect(try await scene.consume("acme").isAllowed)
        let last = try scene.check("acme", 7)
        #expect(last.isAllowed && last.used == 3 && last.revision == 7)
        #expect(last.decidedAt == scene.clock.now)
        scene.clock.set(Self.after)
        let over = try scene.check("acme")
        #expect(!over.isAllowed && over.reason == .expired)
        #expect(try await scene.consume("acme").reason == .expired)
    }

    @Test func aLimitThatFallsHoldsFromItsSecondOn() async throws {
        let scene = try Scene(
            [
                Scene.contract(
                    "acme",
                    overrides: [
                        Scene.limit(100, from: Timestamp(seconds: 0), to: Self.noon)
                    ])
            ], plans: [Scene.plan(calls: .finite(10))], at: "2026-11-21T10:00:00Z")
        #expect(try await scene.consume("acme", 50).isAllowed)
        scene.clock.set(Self.before)
        #expect(try await scene.consume("acme").isAllowed)
        scene.clock.set(Self.after)
        let denied = try await scene.consume("acme")
        #expect(denied.reason == .exhausted && denied.limit == .finite(10) && denied.used == 51)
        try scene.commit("acme", 51, at: Self.before)
        let level = try scene.check("acme", 0)
        #expect(level.used == 51 && level.overage == 41)
    }

    @Test func aLimitThatRisesHoldsFromItsSecondOn() async throws {
        let scene = try Scene(
            [Scene.contract("acme", overrides: [Scene.limit(12, from: Self.noon)])],
            plans: [Scene.plan(calls: .finite(10))], at: Self.before)
        #expect(try await scene.consume("acme", 10).isAllowed)
        #expect(try await !scene.consume("acme").isAllowed)
        scene.clock.set(Self.after)
        #expect(try await scene.consume("acme", 2).isAllowed)
        let full = try await scene.consume("acme")
        #expect(!full.isAllowed && full.used == 12)
        // The clock steps back: the counter stays in the window it has reached.
        scene.clock.set(Self.before)
        #expect(try await !scene.consume("acme").isAllowed)
    }

    /// Charges race with the re-base at the window's end: none is lost, none is admitted too much.
    @Test(arguments: [(600, 900), (900, 600)])
    func chargesRaceWithAWindowEnd(_ first: Int64, _ second: Int64) async throws {
        let scene = try Scene(
            [Scene.contract("acme", overrides: [Scene.limit(second, from: Self.noon)])],
            plans: [Scene.plan(calls: .finite(first))], at: Self.before)
        let admitted = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var mine: Int64 = 0
                    for number in 0..<250 {
                        if number == 40 { scene.clock.set(Self.after) }
                        if try await scene.consume("acme").isAllowed { mine += 1 }
                        if number % 16 == 0 { await Task.yield() }
                    }
                    return mine
                }
            }
            return try await group.reduce(0, +)
        }
        let now = try scene.check("acme", 0)
        #expect(now.used == admitted)
        #expect(admitted <= max(first, second))
        if second > first { #expect(admitted == second) }
        try scene.commit("acme", admitted)
        let settled = try scene.check("acme", 0)
        #expect(settled.used == admitted)
    }

    @Test func chargesRaceWithAPeriodEnd() async throws {
        let scene = try Scene(
            [Scene.contract("acme")], plans: [Scene.plan(calls: .finite(300), period: .day)],
            at: "2026-11-21T23:59:59Z")
        let counts = try await withThrowingTaskGroup(of: [Period: Int64].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var mine: [Period: Int64] = [:]
                    for number in 0..<200 {
                        if number == 20 { scene.clock.set("2026-11-22T00:00:00Z") }
                        let decision = try await scene.consume("acme")
                        if decision.isAllowed, let period = decision.period {
                            mine[period, default: 0] += 1
                        }
                    }
                    return mine
                }
            }
            return try await group.reduce(into: [Period: Int64]()) { sum, part in
                sum.merge(part, uniquingKeysWith: +)
            }
        }
        #expect(counts.count <= 2)
        for (_, count) in counts { #expect(count <= 300) }
        let now = try scene.check("acme", 0)
        let today = try #require(now.period)
        #expect(counts[today] == 300 && now.used == 300)
    }

    @Test func refundsAndHoldsSurviveAReBase() async throws {
        let scene = try Scene(
            [Scene.contract("acme", overrides: [Scene.limit(20, from: Self.noon)])],
            plans: [Scene.plan(calls: .finite(10))], at: Self.before)
        let first = try await scene.gate.reserve(
            scene.question("acme", 4, id: "a"), timeToLiveSeconds: 3_600)
        let second = try await scene.gate.reserve(
            scene.question("acme", 3, id: "b"), timeToLiveSeconds: 3_600)
        scene.clock.set(Self.after)
        let held = try scene.check("acme", 0)
        #expect(held.held == 7 && held.used == 0 && held.remaining == 13)
        let id = try #require(first.reservation?.id)
        let done = try await scene.gate.commitReservation(
            id, actual: DecimalQuantity(mantissa: 6))
        #expect(done.decision.used == 6 && done.decision.held == 3)
        scene.log.refuse(true)
        await #expect(throws: GateError.self) { try await scene.consume("acme", 5) }
        scene.log.refuse(false)
        let other = try #require(second.reservation?.id)
        let freed = try await scene.gate.releaseReservation(other)
        #expect(freed.decision.used == 6 && freed.decision.remaining == 14)
        try scene.commit("acme", 6)
        let settled = try scene.check("acme", 0)
        #expect(settled.used == 6 && settled.remaining == 14)
    }

    /// A reservation outlives its subscription: what was used is still charged, in its time.
    @Test func aHoldEndsAfterItsEntitlement() async throws {
        let scene = try Scene(
            [Scene.contract("acme", end: Self.noon)], plans: [Scene.plan(calls: .finite(10))],
            at: Self.before)
        let held = try await scene.gate.reserve(
            scene.question("acme", 4, id: "a"), timeToLiveSeconds: 60)
        scene.clock.set(Self.after)
        let id = try #require(held.reservation?.id)
        let done = try await scene.gate.commitReservation(id, actual: nil)
        #expect(done.reservation?.committed == 4 && done.decision.reason == .expired)
        let record = try #require(scene.log.texts.last)
        #expect(record.contains("\"time\":\"2026-11-21T11:59:59"))
    }

    /// Commits that arrive while the customer is suspended are not missed when it is back.
    @Test func usageCommittedInAGapCounts() async throws {
        let back = Self.noon.adding(seconds: 3_600)
        let scene = try Scene(
            [
                Scene.contract(
                    "acme",
                    suspensions: [
                        SuspensionTerms(start: Self.noon, end: back, reason: "unpaid")
                    ])
            ], plans: [Scene.plan(calls: .finite(10))], at: Self.before)
        #expect(try await scene.consume("acme", 4).isAllowed)
        scene.clock.set(Self.after)
        let denied = try scene.check("acme")
        #expect(denied.reason == .suspended)
        #expect(denied.limitSource?.contains("unpaid") == true)
        try scene.commit("acme", 4, at: Self.before)
        scene.clock.set(back)
        let now = try scene.check("acme", 0)
        #expect(now.used == 4 && now.remaining == 6)
        #expect(try await scene.consume("acme", 6).isAllowed)
        #expect(try await !scene.consume("acme").isAllowed)
    }
}
