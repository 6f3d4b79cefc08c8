import LockFree
import QuotaEngine
import Synchronization
import Testing

/// Real threads on one hot counter, while another one inserts and removes so that the table grows
/// under them again and again.
@Suite struct StressTests {
    private static let hot: UInt64 = 0xdead_beef_0bad_cafe
    private static let end: Int64 = 1_000_000

    /// Inserts keys until told to stop, and removes old ones, from a small table on.
    private static func churn(_ table: QuotaTable, until stop: Flag) {
        var random = SeededRandom(seed: 42)
        var kept: [UInt64] = []
        while !stop.isRaised, kept.count < 150_000 {
            let key = random.next()
            table.install(key, base: 0, policy: .hard, periodEnd: end, remaining: 1)
            if key % 3 == 0 { table.remove(key) } else { kept.append(key) }
        }
    }

    private static func hotTable(_ policy: QuotaPolicy, remaining: Int64) -> QuotaTable {
        let table = QuotaTable(minimumCapacity: 1)
        table.install(hot, base: 0, policy: policy, periodEnd: end, remaining: remaining)
        return table
    }

    @Test(arguments: [false, true])
    func hardLimitIsAdmittedExactlyOnce(growing: Bool) {
        let limit: Int64 = 300_000
        let table = Self.hotTable(.hard, remaining: limit)
        let admitted = Tally()
        let running = Tally()
        let stop = Flag()
        let takers = 4
        running.add(Int64(takers))
        onThreads(takers + (growing ? 1 : 0)) { index in
            if index == takers { return Self.churn(table, until: stop) }
            var mine: Int64 = 0
            while case .taken = table.take(Self.hot, 1, now: 0) { mine += 1 }
            admitted.add(mine)
            running.add(-1)
            if running.sum == 0 { stop.raise() }
        }
        #expect(admitted.sum == limit)
        #expect(table.read(Self.hot)?.remaining == 0)
    }

    @Test func takesAndAddsConserveUnitsThroughGrowth() {
        let table = Self.hotTable([], remaining: 0)
        let net = Tally()
        let running = Tally()
        running.add(4)
        let stop = Flag()
        onThreads(5) { index in
            if index == 4 { return Self.churn(table, until: stop) }
            var random = SeededRandom(seed: UInt64(index))
            var mine: Int64 = 0
            for _ in 0..<60_000 {
                let quantity = Int64.random(in: 1...1_000, using: &random)
                if index % 2 == 0 {
                    if case .taken = table.take(Self.hot, quantity, now: 0) { mine -= quantity }
                } else if table.add(Self.hot, quantity, periodEnd: Self.end) {
                    mine += quantity
                }
            }
            net.add(mine)
            running.add(-1)
            if running.sum == 0 { stop.raise() }
        }
        #expect(table.read(Self.hot)?.remaining == net.sum)
    }

    /// Two threads try every roll; each period's allowance is admitted once, all of it.
    @Test func everyUnitFallsIntoExactlyOnePeriod() {
        let perPeriod: Int64 = 2_000
        let periods: Int64 = 60
        let table = QuotaTable(minimumCapacity: 1)
        table.install(Self.hot, base: 0, policy: .hard, periodEnd: 1, remaining: perPeriod)
        let admitted = Tally()
        let rolls = Tally()
        let stop = Flag()
        onThreads(5) { index in
            switch index {
            case 0, 1:
                while let reading = table.read(Self.hot), reading.periodEnd < periods {
                    guard reading.remaining == 0 else { continue }
                    let won = table.roll(
                        Self.hot, from: reading.periodEnd, to: reading.periodEnd + 1,
                        remaining: perPeriod)
                    if won { rolls.add(1) }
                }
            case 2: Self.churn(table, until: stop)
            default:
                var mine: Int64 = 0
                while true {
                    let outcome = table.take(Self.hot, 1, now: 0)
                    if case .taken = outcome { mine += 1 }
                    if case .insufficient = outcome,
                        table.read(Self.hot)?.periodEnd == periods,
                        table.read(Self.hot)?.remaining == 0
                    {
                        break
                    }
                }
                admitted.add(mine)
                stop.raise()
            }
        }
        #expect(rolls.sum == periods - 1)
        #expect(admitted.sum == perPeriod * periods)
    }

    /// Rolls that do not wait: what each period had left is taken over in the same step, so initial
    /// less left, summed over all periods, is what the takers got.
    @Test func rollsDuringTakesLoseNothing() {
        let perPeriod: Int64 = 1_000_000
        let table = CounterTable(minimumCapacity: 1)
        table.insert(Self.hot, meta: 0, state: CounterState(window: 0, value: perPeriod))
        let taken = Tally()
        let used = Tally()
        let running = Tally()
        running.add(3)
        let stop = Flag()
        onThreads(5) { index in
            switch index {
            case 3:
                while !stop.isRaised {
                    var left: Int64 = 0
                    _ = table.update(Self.hot) { state in
                        left = state.value
                        return CounterState(window: state.window + 1, value: perPeriod)
                    }
                    used.add(perPeriod - left)
                }
            case 4:
                var key: UInt64 = 0
                while !stop.isRaised, key < 100_000 {
                    key += 1
                    table.insert(key, meta: 0, state: CounterState(window: 0, value: 0))
                }
            default:
                for _ in 0..<80_000 {
                    _ = table.update(Self.hot) { $0.with(value: $0.value - 1) }
                }
                taken.add(80_000)
                running.add(-1)
                if running.sum == 0 { stop.raise() }
            }
        }
        let left = table.read(Self.hot)?.state.value ?? 0
        #expect(used.sum + perPeriod - left == taken.sum)
    }

    @Test func definitionChangesDuringTakesLoseNothing() {
        let table = Self.hotTable(.hard, remaining: 1_000)
        let admitted = Tally()
        let running = Tally()
        running.add(3)
        let stop = Flag()
        let raises: Int64 = 500
        onThreads(5) { index in
            if index == 4 { return Self.churn(table, until: stop) }
            if index == 3 {
                for step in 0..<raises {
                    table.updateDefinition(
                        Self.hot, base: step, policy: .hard, limitDelta: 100)
                }
                stop.raise()
                return
            }
            var mine: Int64 = 0
            while true {
                if case .taken = table.take(Self.hot, 1, now: 0) {
                    mine += 1
                } else if stop.isRaised {
                    break
                }
            }
            // The last raise may have come after the last denial.
            while case .taken = table.take(Self.hot, 1, now: 0) { mine += 1 }
            admitted.add(mine)
        }
        #expect(admitted.sum == 1_000 + raises * 100)
        #expect(table.read(Self.hot)?.remaining == 0)
        #expect(table.read(Self.hot)?.base == raises - 1)
    }

    @Test func reinstalledKeysNeverAdmitMoreThanWasInstalled() {
        let perInstall: Int64 = 50
        let table = Self.hotTable(.hard, remaining: perInstall)
        let admitted = Tally()
        let installed = Tally()
        installed.add(perInstall)
        let stop = Flag()
        onThreads(4) { index in
            if index == 0 {
                for round in 0..<4_000 as Range<UInt64> {
                    table.remove(Self.hot)
                    table.install(
                        round &* 7_919 &+ 1, base: 0, policy: .hard, periodEnd: Self.end,
                        remaining: 1)
                    installed.add(perInstall)
                    table.install(
                        Self.hot, base: 0, policy: .hard, periodEnd: Self.end,
                        remaining: perInstall)
                }
                stop.raise()
                return
            }
            var mine: Int64 = 0
            while !stop.isRaised {
                if case .taken = table.take(Self.hot, 1, now: 0) { mine += 1 }
            }
            admitted.add(mine)
        }
        #expect(admitted.sum <= installed.sum)
        #expect((0...perInstall).contains(table.read(Self.hot)?.remaining ?? -1))
    }

    /// What was installed before is found at every moment while the table grows.
    @Test func installedKeysAreNeverMissingDuringGrowth() {
        let table = QuotaTable(minimumCapacity: 1)
        let keys = (1...500 as ClosedRange<UInt64>).map { $0 &* 0x0123_4567_89ab_cdef }
        for (index, key) in keys.enumerated() {
            table.install(
                key, base: Int64(index), policy: .hard, periodEnd: Self.end, remaining: 9)
        }
        let stop = Flag()
        let wrong = Tally()
        onThreads(4) { thread in
            if thread == 0 {
                Self.churn(table, until: stop)
                stop.raise()
                return
            }
            while !stop.isRaised {
                for (index, key) in keys.enumerated() {
                    let reading = table.read(key)
                    let isRight =
                        reading?.base == Int64(index) && reading?.remaining == 9
                        && reading?.periodEnd == Self.end && reading?.policy == .hard
                    if !isRight { wrong.add(1) }
                }
            }
        }
        #expect(wrong.sum == 0)
    }

    @Test func stripesAddUp() {
        let counter = StripedCounter()
        onThreads(6) { index in
            for _ in 0..<20_000 { counter.add(Int64(index)) }
            counter.add(-5)
        }
        #expect(counter.sum == 15 * 20_000 - 30)
        counter.add(.max)
        counter.add(.min)
        #expect(counter.sum == 15 * 20_000 - 31)
    }
}
