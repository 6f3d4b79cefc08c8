import Foundation
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// A directory for one test, removed with everything in it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/tollgate-ledger-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// A ledger of its own, with partition 0 claimed.
struct LedgerFixture {
    let directory: TemporaryDirectory
    var ledger: SQLLedger
    var epoch: Int64
    var offset: Int64 = 0

    init(options: SQLLedger.Options = .init()) throws {
        directory = try TemporaryDirectory()
        ledger = try SQLLedger(path: directory.file("ledger.db"), options: options)
        epoch = try #require(try ledger.claim([0]).first).epoch
    }

    /// A batch that goes on where the last one of `commit` ended.
    func batch(length: Int64 = 10, at: Timestamp = instant) -> LedgerBatch {
        LedgerBatch(
            partition: 0, epoch: epoch, baseOffset: offset, nextOffset: offset + length,
            completeTo: at)
    }

    @discardableResult
    mutating func commit(
        _ batch: LedgerBatch, score: (UsageChange) -> [Crossing] = { _ in [] }
    ) throws -> LedgerCommit {
        let done = try ledger.commit(batch, score: score)
        offset = batch.nextOffset
        return done
    }

    @discardableResult
    mutating func commit(usage: [UsageDelta]) throws -> LedgerCommit {
        var next = batch()
        next.usage = usage
        return try commit(next)
    }

    mutating func reopen() throws {
        ledger.close()
        ledger = try SQLLedger(path: directory.file("ledger.db"))
    }

    var total: Int64? {
        get throws { try ledger.usage(key())?.state.value }
    }
}

let instant = Timestamp(seconds: 1_700_000_000)
let month = Period(start: Timestamp(seconds: 1_698_796_800), end: Timestamp(seconds: 1_701_388_800))

func key(_ customer: CustomerID = "acme", _ meter: MeterKey = "tokens") -> UsageKey {
    UsageKey(customer: customer, meter: meter, period: month)
}

func delta(
    _ value: Int64, count: Int64 = 1, admitted: Int64 = 0, key: UsageKey = key(),
    _ aggregation: Aggregation = .sum
) -> UsageDelta {
    UsageDelta(
        key: key, aggregation: aggregation, delta: UsageState(count: count, value: value),
        admitted: admitted)
}

func crossing(_ change: UsageChange, at level: Int64) -> [Crossing] {
    guard change.before.value < level, change.after.value >= level else { return [] }
    return [
        Crossing(
            customer: change.key.customer, feature: "chat", meter: change.key.meter,
            period: change.key.period, threshold: .absolute(level), limit: .finite(1_000),
            usedBefore: change.before.value, usedAfter: change.after.value, scale: 2,
            source: "plan pro v1", crossedAt: instant)
    ]
}

/// Runs `body` and returns the ledger's error, failing the test when there is none.
func ledgerError(_ body: () throws -> Void) -> LedgerError? {
    var found: LedgerError?
    do {
        try body()
        Issue.record("no error was thrown")
    } catch {
        found = error as? LedgerError
    }
    return found
}

/// SplitMix64: the same numbers on every run.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Takes out of a ledger what came after the versions that tests go back to.
enum LaterVersions {
    static let feedAndCorrections =
        [
            "DROP TABLE crossing_changes", "DROP TABLE corrections",
            "DROP INDEX adjustments_by_correction",
        ]
        + ["id", "action", "source", "event_id", "reason"].map {
            "ALTER TABLE adjustments DROP COLUMN correction_\($0)"
        }
}
