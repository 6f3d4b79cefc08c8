import LockFree
import QuotaEngine
import Testing

@Suite struct QuotaTableTests {
    private let key: UInt64 = 0x1234_5678_9abc_def0

    private func table(
        _ policy: QuotaPolicy, remaining: Int64, periodEnd: Int64 = 1_000
    ) -> QuotaTable {
        let table = QuotaTable(minimumCapacity: 16)
        table.install(
            key, base: 3, policy: policy, periodEnd: periodEnd, remaining: remaining)
        return table
    }

    @Test func readsWhatWasInstalled() {
        let table = QuotaTable(minimumCapacity: 16)
        #expect(table.read(key) == nil)
        table.install(
            key, base: .max, policy: [.hard, .unlimited], periodEnd: -7, remaining: -9)
        let expected = QuotaReading(
            base: .max, policy: [.hard, .unlimited], periodEnd: -7, remaining: -9)
        #expect(table.read(key) == expected)
        #expect(table.count == 1)
        table.install(key, base: 0, policy: [], periodEnd: 8, remaining: 0)
        #expect(
            table.read(key)
                == QuotaReading(base: 0, policy: [], periodEnd: 8, remaining: 0))
    }

    @Test func hardStopsExactlyAtTheLimit() {
        let table = table(.hard, remaining: 10)
        #expect(table.take(key, 7, now: 0) == .taken(remaining: 3, periodEnd: 1_000))
        #expect(table.take(key, 4, now: 0) == .insufficient(remaining: 3))
        #expect(table.take(key, 3, now: 999) == .taken(remaining: 0, periodEnd: 1_000))
        #expect(table.take(key, 0, now: 0) == .taken(remaining: 0, periodEnd: 1_000))
        #expect(table.take(key, 1, now: 0) == .insufficient(remaining: 0))
        #expect(table.take(key, .max, now: 0) == .insufficient(remaining: 0))
    }

    @Test func softAndUnlimitedGoBelowZeroAndSaturate() {
        for policy in [[], .unlimited, [.unlimited, .hard]] as [QuotaPolicy] {
            let table = table(policy, remaining: 1)
            #expect(table.take(key, 3, now: 0) == .taken(remaining: -2, periodEnd: 1_000))
            // −2 − (2^63 − 1) is one below the lower bound.
            #expect(table.take(key, .max, now: 0) == .taken(remaining: .min, periodEnd: 1_000))
            #expect(table.take(key, .max, now: 0) == .taken(remaining: .min, periodEnd: 1_000))
            #expect(table.take(key, 0, now: 0) == .taken(remaining: .min, periodEnd: 1_000))
        }
    }

    @Test func negativeQuantitiesChargeNothingAndGiveNothing() {
        let table = table(.hard, remaining: 5)
        #expect(table.take(key, -1, now: 0) == .taken(remaining: 5, periodEnd: 1_000))
        #expect(table.take(key, .min, now: 0) == .taken(remaining: 5, periodEnd: 1_000))
        #expect(table.read(key)?.remaining == 5)
        #expect(table.setRemaining(key, periodEnd: 1_000, remaining: -1))
        #expect(table.take(key, 0, now: 0) == .insufficient(remaining: -1))
        #expect(table.take(key, -1, now: 0) == .insufficient(remaining: -1))
    }

    @Test func periodEndsAtItsEndNotBefore() {
        let table = table(.hard, remaining: 5)
        #expect(table.take(key, 1, now: 999) == .taken(remaining: 4, periodEnd: 1_000))
        #expect(table.take(key, 1, now: 1_000) == .periodEnded)
        #expect(table.take(key, 0, now: .max) == .periodEnded)
        #expect(table.take(key, 1, now: .min) == .taken(remaining: 3, periodEnd: 1_000))
    }

    @Test func endlessPeriodsStayEndless() {
        let table = table(.hard, remaining: 5, periodEnd: .max)
        #expect(
            table.take(key, 1, now: 253_402_300_800)
                == .taken(remaining: 4, periodEnd: CounterState.windowBound))
        #expect(table.add(key, 1, periodEnd: .max))
        #expect(table.read(key)?.periodEnd == CounterState.windowBound)
        #expect(table.add(key, 1, periodEnd: CounterState.windowBound))
    }

    @Test func addSaturatesAndKeepsToItsPeriod() {
        let table = table(.hard, remaining: 5)
        #expect(table.add(key, -7, periodEnd: 1_000))
        #expect(table.read(key)?.remaining == -2)
        #expect(!table.add(key, 1, periodEnd: 999))
        #expect(table.add(key, .max, periodEnd: 1_000))
        #expect(table.add(key, .max, periodEnd: 1_000))
        #expect(table.read(key)?.remaining == .max)
        #expect(table.setRemaining(key, periodEnd: 1_000, remaining: -1))
        #expect(table.add(key, .min, periodEnd: 1_000))
        #expect(table.read(key)?.remaining == .min)
        #expect(!table.setRemaining(key, periodEnd: 1, remaining: 0))
    }

    @Test func rollHasOneWinnerAndGoesForwardOnly() {
        let table = table(.hard, remaining: 5)
        #expect(!table.roll(key, from: 999, to: 2_000, remaining: 9))
        #expect(!table.roll(key, from: 1_000, to: 1_000, remaining: 9))
        #expect(!table.roll(key, from: 1_000, to: 500, remaining: 9))
        #expect(table.roll(key, from: 1_000, to: 2_000, remaining: 9))
        #expect(!table.roll(key, from: 1_000, to: 2_000, remaining: 9))
        #expect(table.take(key, 9, now: 1_500) == .taken(remaining: 0, periodEnd: 2_000))
        #expect(table.read(key)?.policy == .hard)
        #expect(!table.add(key, 1, periodEnd: 1_000))
    }

    @Test func reBasingKeepsWhatWasUsedInAnotherWindow() {
        let table = table(.hard, remaining: 5)
        #expect(!table.rebase(key, from: 999, to: 2_000, policy: [], limitDelta: 1))
        #expect(table.rebase(key, from: 1_000, to: 2_000, policy: .hard, limitDelta: -3))
        #expect(table.take(key, 3, now: 1_500) == .insufficient(remaining: 2))
        #expect(table.take(key, 2, now: 1_500) == .taken(remaining: 0, periodEnd: 2_000))
        // A window can be cut short, or ended at once.
        #expect(table.rebase(key, from: 2_000, to: 1_600, policy: [], limitDelta: 0))
        #expect(table.take(key, 2, now: 1_600) == .periodEnded)
        #expect(table.take(key, 2, now: 1_599) == .taken(remaining: -2, periodEnd: 1_600))
        #expect(
            table.rebase(key, from: 1_600, to: QuotaTable.ended, policy: .hard, limitDelta: 0))
        #expect(table.take(key, 1, now: -4_000_000_000) == .periodEnded)
        #expect(table.add(key, 5, periodEnd: QuotaTable.ended))
        #expect(
            table.rebase(key, from: QuotaTable.ended, to: 3_000, policy: .hard, limitDelta: 0))
        #expect(table.take(key, 3, now: 2_000) == .taken(remaining: 0, periodEnd: 3_000))
        #expect(!table.rebase(key &+ 1, from: 3_000, to: 4_000, policy: [], limitDelta: 0))
    }

    @Test func generationsTellCountersOfOneKeyApart() {
        let table = table(QuotaPolicy.hard.with(generation: 31), remaining: 5)
        let first = table.charge(key, 1, now: 0)
        #expect(first.outcome == .taken(remaining: 4, periodEnd: 1_000))
        #expect(first.generation == 31)
        #expect(table.charge(key, 5, now: 0).outcome == .insufficient(remaining: 4))
        #expect(!table.add(key, -1, periodEnd: 1_000, generation: 30))
        #expect(table.add(key, -1, periodEnd: 1_000, generation: 31))
        table.install(
            key, base: 3, policy: QuotaPolicy.unlimited.with(generation: 0),
            periodEnd: 1_000, remaining: 0)
        let second = table.charge(key, 9, now: 0)
        #expect(second.outcome == .taken(remaining: -9, periodEnd: 1_000))
        #expect(second.generation == 0)
        #expect(table.charge(key, 9, now: 1_000).outcome == .periodEnded)
    }

    @Test func definitionChangesKeepWhatWasUsed() {
        let table = table(.hard, remaining: 5)
        table.updateDefinition(key, base: 8, policy: [], limitDelta: -7)
        #expect(
            table.read(key)
                == QuotaReading(base: 8, policy: [], periodEnd: 1_000, remaining: -2))
        #expect(table.take(key, 1, now: 0) == .taken(remaining: -3, periodEnd: 1_000))
        table.updateDefinition(key, base: 9, policy: .hard, limitDelta: .max)
        // Bound first: `#expect(optional == .max - 3)` compares unlike types and fails on equals.
        let raised: Int64 = .max - 3
        #expect(table.read(key)?.remaining == raised)
        table.updateDefinition(key, base: 9, policy: .hard, limitDelta: .max)
        #expect(table.read(key)?.remaining == .max)
    }

    @Test func missingAndRemovedKeysAnswerMissing() {
        let table = table(.hard, remaining: 5)
        table.remove(key)
        for absent in [key, key &+ 1, 0, .max] {
            #expect(table.read(absent) == nil)
            #expect(table.take(absent, 1, now: 0) == .missing)
            #expect(table.take(absent, 0, now: .max) == .missing)
            #expect(!table.add(absent, 1, periodEnd: 1_000))
            #expect(!table.setRemaining(absent, periodEnd: 1_000, remaining: 1))
            #expect(!table.roll(absent, from: 1_000, to: 2_000, remaining: 1))
            table.updateDefinition(absent, base: 0, policy: [], limitDelta: 1)
            table.remove(absent)
            #expect(table.read(absent) == nil)
        }
        #expect(table.count == 0)
        table.install(0, base: 1, policy: .hard, periodEnd: 10, remaining: 1)
        #expect(table.take(0, 1, now: 0) == .taken(remaining: 0, periodEnd: 10))
        #expect(table.take(0, 1, now: 0) == .insufficient(remaining: 0))
    }
}
