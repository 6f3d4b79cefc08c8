import Entitlements
import MeteringModel
import MeteringPorts

/// Holds the counters of the shared store against the ledger while both go on.
///
/// The store follows the ledger by a moment. So a counter is right when it holds what the ledger
/// held at some time of the looking: anything between the least and the most that was read there. What
/// stands outside of that for every look is a drift; one that is smaller than what a busy row gains
/// meanwhile shows once the row is quieter.
struct SharedCheck {
    let shared: any SharedCounters
    let queries: any LedgerQueries

    private static let looksMax = 5
    private static let pauseMilliseconds = 50
    private static let pageKeys = 500

    private struct Doubt {
        var key: SharedCounterKey
        var row: UsageKey
        var lowest: Int64
        var highest: Int64
        var found: Int64 = 0

        mutating func widen(_ value: Int64) {
            lowest = min(lowest, value)
            highest = max(highest, value)
        }
    }

    /// - Parameter rows: as read before; those whose periods are over by `now` are left out.
    func run(
        _ rows: [StoredUsage], _ catalog: CatalogSnapshot, now: Timestamp,
        _ report: inout ReconcileReport
    ) async throws(LedgerError) {
        var doubts: [Doubt] = []
        for row in rows
        where row.key.period.end > now && Segments.isKept(row.key, catalog) {
            guard let customer = catalog.liveCustomer(row.key.customer) else { continue }
            let value = row.state.reading(row.aggregation)
            doubts.append(
                Doubt(
                    key: SharedCounterKey(
                        root: catalog.customer(catalog.root(of: customer, at: now)).id,
                        customer: row.key.customer, meter: row.key.meter,
                        period: row.key.period),
                    row: row.key, lowest: value, highest: value))
        }
        report.rowsCompared += Int64(doubts.count)
        for look in 0..<Self.looksMax where !doubts.isEmpty {
            if look > 0 {
                try? await Task.sleep(for: .milliseconds(Self.pauseMilliseconds << (look - 1)))
            }
            do throws(SharedCounterError) {
                doubts = try await differing(doubts)
            } catch {
                report.notes.append("redis was not compared: \(error.message)")
                return
            }
            doubts = try await stillDiffering(doubts)
        }
        for doubt in doubts {
            report.drifts.append(
                .init(
                    customer: doubt.row.customer.rawValue, meter: doubt.row.meter.rawValue,
                    period: doubt.row.period, store: "redis", recounted: doubt.highest,
                    stored: doubt.found))
        }
    }

    /// Those that the store has outside of what the ledger has been seen to hold.
    private func differing(_ doubts: [Doubt]) async throws(SharedCounterError) -> [Doubt] {
        var differing: [Doubt] = []
        for start in stride(from: 0, to: doubts.count, by: Self.pageKeys) {
            let page = doubts[start..<min(start + Self.pageKeys, doubts.count)]
            let found = try await shared.read(page.map(\.key))
            for (var doubt, counter) in zip(page, found) {
                doubt.found = counter?.used ?? 0
                if doubt.found < doubt.lowest || doubt.found > doubt.highest {
                    differing.append(doubt)
                }
            }
        }
        return differing
    }

    /// The same with what the ledger holds now, after the store was read.
    private func stillDiffering(_ doubts: [Doubt]) async throws(LedgerError) -> [Doubt] {
        try await BlockingWork.run("tollgate-recount") { [queries] in
            Result { () throws(LedgerError) in
                var differing: [Doubt] = []
                for var doubt in doubts {
                    let row = try queries.usage(doubt.row)
                    doubt.widen(row.map { $0.state.reading($0.aggregation) } ?? 0)
                    if doubt.found < doubt.lowest || doubt.found > doubt.highest {
                        differing.append(doubt)
                    }
                }
                return differing
            }
        }.get()
    }
}
