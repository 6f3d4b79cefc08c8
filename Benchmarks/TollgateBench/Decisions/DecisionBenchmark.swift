import QuotaEngine
import Synchronization

/// One decision in this process: find the counter, check, charge, in one atomic step.
struct DecisionBenchmark {
    let options: BenchOptions
    let report: Report

    /// Which keys are asked for, in draws prepared beforehand.
    struct Pattern {
        var name: String
        var keyCount: Int
        var draws: [UInt64]
        /// Nanoseconds of architecture §9's "reach first"; nil where it names none.
        var reachFirst: Double?
    }

    func run() throws {
        let many = options.isSmoke ? 1_000_000 : 10_000_000
        let drawCount = options.isSmoke ? 1 << 18 : 1 << 22
        let label = many == 10_000_000 ? "10 M" : "1 M"
        let small = options.isSmoke ? 100_000 : 1_000_000
        let smallLabel = small == 1_000_000 ? "1 M" : "100 k"
        compareOneKey(drawCount)
        var draws = Draws(seed: 7)
        let uniformSmall = (0..<drawCount).map { _ in Self.key(Int(draws.next() % UInt64(small))) }
        try compare(
            [Pattern(name: "\(smallLabel) keys, uniform", keyCount: small, draws: uniformSmall)],
            keyCount: small, isReportingMemory: false)
        let zipf = Zipf(count: many)
        let patterns = [
            Pattern(
                name: "\(label) keys, Zipf 0.99", keyCount: many,
                draws: (0..<drawCount).map { _ in Self.key(zipf.draw(&draws)) }, reachFirst: 60),
            Pattern(
                name: "\(label) keys, uniform", keyCount: many,
                draws: (0..<drawCount).map { _ in Self.key(Int(draws.next() % UInt64(many))) },
                reachFirst: 120),
        ]
        try compare(patterns, keyCount: many, isReportingMemory: true)
    }

    static func key(_ index: Int) -> UInt64 { Draws.mix(UInt64(index) &+ 1) }

    // MARK: one key

    private func compareOneKey(_ count: Int) {
        let table = Self.table(keyCount: 1)
        let draws = [UInt64](repeating: Self.key(0), count: count)
        let pattern = Pattern(name: "1 hot key", keyCount: 1, draws: draws, reachFirst: 40)
        let rival = MutexDictionary(keyCount: 1)
        let cell = BareCell()
        for threads in [1, 2] {
            let bare = Measure.median(
                (0..<options.runs).map { _ in
                    Measure.onThreads(threads) { _ in cell.takeAll(count) } / Double(count)
                })
            measure(
                pattern, table, rival, threads: threads,
                note: "CAS \(bare.short) ns, ")
        }
    }

    // MARK: many keys

    private func compare(
        _ patterns: [Pattern], keyCount: Int, isReportingMemory: Bool
    ) throws {
        let before = Measure.residentBytes()
        let table = Self.table(keyCount: keyCount)
        if isReportingMemory {
            let bytes = Double(table.bytesAllocated) / Double(table.count)
            let resident = Double(Measure.residentBytes() - before) / Double(keyCount)
            report.add(
                ReportRow(
                    name: "bytes per counter, \(table.count) counters",
                    ours: "\(bytes.short) B", reference: "hash per pair 120 B",
                    ratio: "resident \(resident.short) B", reachFirst: "<= 128 B",
                    isMet: bytes <= 128))
        }
        let rival = MutexDictionary(keyCount: keyCount)
        for pattern in patterns {
            for threads in [1, 2] { measure(pattern, table, rival, threads: threads) }
        }
        guard table.count == keyCount else {
            throw BenchmarkFailure("the table holds \(table.count) counters of \(keyCount)")
        }
    }

    private func measure(
        _ pattern: Pattern, _ table: QuotaTable, _ rival: MutexDictionary, threads: Int,
        note: String = ""
    ) {
        let draws = pattern.draws
        let count = Double(draws.count)
        let refusals = Atomic<Int>(0)
        let pair = Measure.alternating(runs: options.runs) {
            Measure.onThreads(threads) { index in
                let refused = takeAll(table, draws, from: index * draws.count / 2)
                refusals.add(refused, ordering: .relaxed)
            } / count
        } _: {
            Measure.onThreads(threads) { index in
                rival.takeAll(draws, from: index * draws.count / 2)
            } / count
        }
        if refusals.load(ordering: .relaxed) > 0 {
            Report.say("  \(refusals.load(ordering: .relaxed)) takes were refused: check the limit")
        }
        let isTarget = threads == 1 && pattern.reachFirst != nil
        report.add(
            ReportRow(
                name: "decision, \(pattern.name), \(threads) thread\(threads == 1 ? "" : "s")",
                ours: "\(pair.first.short) ns",
                reference: "\(note)Mutex dictionary \(pair.second.short) ns",
                ratio: (pair.first / pair.second).short,
                reachFirst: isTarget ? "<= \(Int(pattern.reachFirst ?? 0)) ns" : "",
                isMet: isTarget ? pair.first <= pattern.reachFirst ?? 0 : nil))
    }

    private static func table(keyCount: Int) -> QuotaTable {
        let table = QuotaTable(minimumCapacity: keyCount)
        for index in 0..<keyCount {
            table.install(
                key(index), base: 1 << 40, policy: [.hard],
                periodEnd: 4_000_000_000, remaining: 1 << 40)
        }
        return table
    }
}

/// - Returns: how many takes were not allowed.
@inline(never)
private func takeAll(_ table: QuotaTable, _ draws: [UInt64], from start: Int) -> Int {
    var refused = 0
    func take(_ range: Range<Int>) {
        for position in range {
            if case .taken = table.take(draws[position], 1, now: 1_793_000_000) { continue }
            refused += 1
        }
    }
    take(start..<draws.count)
    take(0..<start)
    return refused
}

/// The rival: what one would write first.
private final class MutexDictionary: Sendable {
    private let counters: Mutex<[UInt64: Int64]>

    init(keyCount: Int) {
        var counters: [UInt64: Int64] = [:]
        counters.reserveCapacity(keyCount)
        for index in 0..<keyCount { counters[DecisionBenchmark.key(index)] = 1 << 40 }
        self.counters = Mutex(counters)
    }

    @inline(__always)
    private func take(_ key: UInt64, _ quantity: Int64) -> Bool {
        counters.withLock { counters in
            guard let left = counters[key], left >= quantity else { return false }
            counters[key] = left - quantity
            return true
        }
    }

    @inline(never)
    func takeAll(_ draws: [UInt64], from start: Int) {
        for position in start..<draws.count { _ = take(draws[position], 1) }
        for position in 0..<start { _ = take(draws[position], 1) }
    }
}

/// The floor: one atomic number, decremented unless it would fall below 0.
private final class BareCell: Sendable {
    private let left = Atomic<Int>(.max)

    @inline(never)
    func takeAll(_ count: Int) {
        for _ in 0..<count {
            var seen = left.load(ordering: .relaxed)
            while seen > 0 {
                let (exchanged, original) = left.compareExchange(
                    expected: seen, desired: seen - 1, ordering: .acquiringAndReleasing)
                if exchanged { break }
                seen = original
            }
        }
    }
}
