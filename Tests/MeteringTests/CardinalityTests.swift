import Entitlements
import JournalEventLog
import Logging
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Synchronization
import Testing

/// A meter keeps so many sets of dimension values apart in a month, and says when there are more.
@Suite struct CardinalityTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private final class Outbox: NotificationOutbox {
        let found = Mutex<[Notification]>([])
        let refusals = Mutex(0)

        func publish(_ notifications: [Notification]) throws(LedgerError) {
            let isRefused = refusals.withLock { left in
                left -= 1
                return left >= 0
            }
            if isRefused { throw LedgerError(code: .busy, message: "later") }
            found.withLock { $0 += notifications }
        }
    }

    private func snapshot() throws -> CatalogSnapshot {
        var catalog = Contracts.catalog
        for index in catalog.meters.indices { catalog.meters[index].groupsMax = 3 }
        return try MeteringHarness.compile(
            catalog,
            [
                Contracts.customer(
                    "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
            ])
    }

    private func models(_ harness: MeteringHarness) throws -> [String: Int64] {
        let rows = try harness.ledger.rollups(
            RollupQuery(
                customer: "acme", meter: "tokens", window: .month, from: .distantPast,
                to: .distantFuture))
        return rows.reduce(into: [:]) { $0[$1.dimensions, default: 0] += $1.state.count }
    }

    private func send(_ harness: MeteringHarness, _ models: [Int], _ prefix: String) async throws {
        for model in models {
            let at = clock.now.adding(seconds: -60).rfc3339()
            try await harness.send([
                Sample.event(
                    "\(prefix)\(model)\(harness.journal.endOffset)", time: at, model: "m\(model)")
            ])
            try await harness.settle()
        }
    }

    @Test func theRestCountsTogetherAndIsTold() async throws {
        let outbox = Outbox()
        outbox.refusals.withLock { $0 = 1 }
        let first = try await MeteringHarness(
            folder.path, try snapshot(), clock: clock, outbox: outbox)
        try await send(first, [1, 2, 2, 3, 4, 5, 4, 1], "a")
        let other = #"{"model":"__other__"}"#
        let expected: [String: Int64] = [
            #"{"model":"m1"}"#: 2, #"{"model":"m2"}"#: 2, #"{"model":"m3"}"#: 1, other: 3,
        ]
        #expect(try models(first) == expected)
        #expect(first.counters.dimensionOverflowsByMeter().map(\.count) == [3])
        // The first attempt failed, the second got through, and no other was made.
        let told = outbox.found.withLock { $0 }
        #expect(told.map(\.type) == ["ingest.cardinality"])
        #expect(told.first?.data["meter"] == .string("tokens"))
        #expect(told.first?.data["max_groups"] == .integer(3))
        #expect(try await first.reports.reconcile().drifts == [])
        await first.stop()

        // The same after a restart: sets known before keep their room.
        let second = try await MeteringHarness(
            folder.path, try snapshot(), clock: clock, outbox: outbox)
        try await send(second, [5, 1], "b")
        #expect(try models(second)[other] == 4)
        #expect(try models(second)[#"{"model":"m1"}"#] == 3)
        let again = outbox.found.withLock { $0 }
        #expect(Set(again.map(\.id)).count == 1)
        #expect(again.first.map { $0.id.hasSuffix("_2026-11") } == true)

        // Another month has room of its own.
        clock.set("2026-12-01T00:00:01Z")
        try await send(second, [5], "c")
        #expect(try models(second)[#"{"model":"m5"}"#] == 1)
        await second.stop()

        // A ledger made anew from the log comes to the same.
        let rebuilt = try await MeteringHarness(
            folder.path, try snapshot(), clock: clock, ledger: "b")
        let before = try MeteringHarness.rollups(folder.path + "/a/ledger.db")
        let after = try MeteringHarness.rollups(folder.path + "/b/ledger.db")
        #expect(before == after && !before.isEmpty)
        await rebuilt.stop()
    }

    /// Duplicates take no room.
    @Test func aDuplicateTakesNoRoom() async throws {
        let harness = try await MeteringHarness(folder.path, try snapshot(), clock: clock)
        let at = clock.now.adding(seconds: -60).rfc3339()
        for model in 1...9 {
            try await harness.send([Sample.event("same", time: at, model: "m\(model)")])
        }
        try await harness.settle()
        try await send(harness, [7, 8], "x")
        #expect(try models(harness).keys.sorted() == [1, 7, 8].map { #"{"model":"m\#($0)"}"# })
        await harness.stop()
    }
}

extension MeteringHarness {
    /// Every rollup of a closed or open ledger, as text.
    static func rollups(_ path: String) throws -> Set<String> {
        var options = SQLLedger.Options()
        options.isReadOnly = true
        let ledger = try SQLLedger(path: path, options: options)
        defer { ledger.close() }
        var rows: Set<String> = []
        for window in RollupWindow.allCases {
            try ledger.rollups(window, of: ""..."~") { customer, meter, _, row in
                rows.insert(
                    "\(window) \(customer) \(meter) \(row.start.rfc3339()) \(row.dimensions) "
                        + "\(row.state.count) \(row.state.value)")
            }
        }
        return rows
    }
}
