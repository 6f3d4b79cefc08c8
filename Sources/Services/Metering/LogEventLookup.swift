package import Entitlements
package import MeteringModel
package import MeteringPorts
import UsageAggregation

/// Single events behind a customer's usage, read from the log anew and interpreted as they would be
/// now.
///
/// A page reads a bounded stretch of the log, one partition after the other; its cursor says how far
/// it came, so a page may be empty and still not be the last. Which events counted is told by the
/// ledger's marks; behind its dedupe window by the first of each identity within a page.
package final class LogEventLookup: EventLookup {
    private let replay: any LogReplay
    private let queries: any LedgerQueries
    private let catalog: CurrentCatalog
    private let settings: MeteringSettings

    /// Records that one page reads at most.
    private static let scanMax: Int64 = 100_000
    private static let limitMax = 1_000

    package init(
        replay: any LogReplay, queries: any LedgerQueries, catalog: CurrentCatalog,
        settings: MeteringSettings
    ) {
        self.replay = replay
        self.queries = queries
        self.catalog = catalog
        self.settings = settings
    }

    package func events(
        customer: CustomerID, meter: MeterKey, from: Timestamp, to: Timestamp, cursor: String?,
        limit: Int
    ) async throws(QueryError) -> (events: [ExplainedEvent], next: String?) {
        let snapshot = catalog.load()
        guard let number = snapshot.liveCustomer(customer) else {
            throw QueryError(code: .notFound, message: "there is no customer \(customer)")
        }
        guard let index = snapshot.meterIndex(meter) else {
            throw QueryError(code: .notFound, message: "there is no meter \(meter)")
        }
        let wanted = EventScan.Wanted(
            customer: number, meter: index, span: Period(start: from, end: to),
            limit: max(1, min(limit, Self.limitMax)))
        let result: Result<Page, QueryError> = await BlockingWork.run("tollgate-events") { [self] in
            do throws(QueryError) {
                return .success(try page(wanted, snapshot, cursor))
            } catch {
                return .failure(error)
            }
        }
        let found = try result.get()
        return (found.events, found.next)
    }

    private struct Page: Sendable {
        var events: [ExplainedEvent]
        var next: String?
    }

    private func page(
        _ wanted: EventScan.Wanted, _ snapshot: CatalogSnapshot, _ cursor: String?
    ) throws(QueryError) -> Page {
        if wanted.span.start >= wanted.span.end { return Page(events: [], next: nil) }
        let asked = try Self.place(cursor)
        do throws(LedgerError) {
            let claims = try queries.positions()
            var start = asked
            if start == nil { start = try next(after: -1, wanted.span.start, claims) }
            guard var place = start else { return Page(events: [], next: nil) }
            let scan = EventScan(
                wanted, snapshot, settings, corrections: try EventHistory(queries))
            var left = Self.scanMax
            while let claim = claims.first(where: { $0.partition == place.partition }) {
                let end = min(claim.nextOffset, place.offset.addingSaturated(left))
                if place.offset < end {
                    scan.counted = try queries.countedOffsets(
                        partition: place.partition, in: place.offset..<end)
                    left -= try read(&place, to: end, scan)
                }
                if scan.isFull || left <= 0, place.offset < claim.nextOffset { break }
                guard let following = try next(after: place.partition, wanted.span.start, claims)
                else { return Page(events: scan.events, next: nil) }
                place = following
                if scan.isFull || left <= 0 { break }
            }
            return Page(events: scan.events, next: "\(place.partition):\(place.offset)")
        } catch {
            throw QueryError(code: .unavailable, message: error.message)
        }
    }

    /// - Returns: how many records were read.
    private func read(
        _ place: inout LogPosition, to end: Int64, _ scan: EventScan
    ) throws(LedgerError) -> Int64 {
        var read: Int64 = 0
        var next = place.offset
        do throws(EventLogError) {
            try replay.scan(from: [place.partition: place.offset]) { info, headers, value in
                guard info.offset < end else { return false }
                read += 1
                next = info.offset + 1
                scan.take(info, headers, value)
                return !scan.isFull && next < end
            }
        } catch {
            throw .unreadable(error)
        }
        // Offsets without records at the end hold nothing to come back for.
        place.offset = scan.isFull ? next : end
        return max(read, 1)
    }

    // MARK: places

    private func next(
        after partition: Int32, _ instant: Timestamp, _ claims: [PartitionClaim]
    ) throws(LedgerError) -> LogPosition? {
        let following = claims.map(\.partition).filter { $0 > partition }.min()
        guard let following else { return nil }
        // Events come at most that much before their time.
        let since = instant.adding(seconds: -settings.maximumAheadSeconds - 60)
        let offsets = try queries.firstOffsets(appendedSince: since)
        return LogPosition(partition: following, offset: offsets[following] ?? 0)
    }

    private static func place(_ cursor: String?) throws(QueryError) -> LogPosition? {
        guard let cursor else { return nil }
        let parts = cursor.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let partition = Int32(parts[0]), let offset = Int64(parts[1]),
            offset >= 0
        else { throw QueryError(code: .invalid, message: "the cursor is not one of ours") }
        return LogPosition(partition: partition, offset: offset)
    }
}

/// Corrections by the event that they are about.
struct EventHistory {
    private var records: [LogPosition: [CorrectionRecord]] = [:]

    init(_ queries: any CorrectionQueries) throws(LedgerError) {
        var after: Int64 = 0
        while true {
            let page = try queries.corrections(customer: nil, after: after, limit: 1_000)
            guard let last = page.last else { return }
            after = last.sequence
            for (_, record) in page where record.refusal == nil {
                records[record.event, default: []].append(record)
            }
        }
    }

    /// The correction that took out what was there since the correction `number`; 0: the event.
    func next(after number: Int64, of event: LogPosition) -> CorrectionRecord? {
        records[event]?.first { $0.number > number }
    }

    func isApplied(_ record: CorrectionRecord) -> Bool {
        records[record.event]?.contains { $0.id == record.id } ?? false
    }
}
