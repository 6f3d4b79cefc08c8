import MeteringModel
import MeteringPorts
import Synchronization

final class FakeReporting: UsageReporting {
    let asked = Mutex<[String]>([])

    func usage(_ query: UsageQuery) throws(QueryError) -> UsageReport {
        let (customer, feature, window) = (query.customer, query.feature, query.window)
        asked.withLock {
            $0.append(
                "\(customer) \(feature) \(query.from?.seconds ?? 0) \(window) \(query.groupBy)")
            if !query.filters.isEmpty || query.cursor != nil {
                $0.append("\(query.filters) \(query.limit) \(query.cursor ?? "-")")
            }
        }
        if feature == "none" { throw QueryError(code: .notFound, message: "no such feature") }
        if query.cursor == "old" {
            throw QueryError(code: .windowNotKept, message: "ask for window=day")
        }
        return UsageReport(
            customer: customer, feature: FeatureKey(feature), meter: "tokens", unit: "token",
            scale: 2, window: window.rawValue, timeZone: "Europe/Berlin", usageCompleteTo: nil,
            windows: [
                .init(
                    start: FakeGate.period.start, end: FakeGate.period.end, value: 8_123_400,
                    count: 7, group: ["model": "m1"])
            ], next: query.limit == 1 ? "more" : nil)
    }

    func nearLimit(
        overBasisPoints: Int64, filter: NearLimitFilter, limit: Int, cursor: String?
    ) throws(QueryError) -> (entries: [NearLimitEntry], next: String?) {
        asked.withLock {
            $0.append("near \(overBasisPoints) \(limit) \(cursor ?? "-")")
            if let plan = filter.plan {
                $0.append("\(plan) \(filter.owner ?? "-") \(filter.feature ?? "-")")
            }
        }
        let entry = NearLimitEntry(
            customer: cursor == "next-page" ? "rival" : "acme", feature: "tokens", plan: "pro",
            used: 90, limit: 100, scale: 0,
            shareBasisPoints: 9_000, period: FakeGate.period, timeZone: "Europe/Berlin",
            enforcement: .hard, projectedExhaustion: Timestamp(seconds: 1_795_900_000))
        return ([entry], cursor == "next-page" ? "last-page" : cursor == nil ? "next-page" : nil)
    }

    func alerts(
        customer: CustomerID?, since: Timestamp?, cursor: String?, limit: Int
    ) throws(QueryError) -> (alerts: [StoredCrossing], next: String?) {
        let crossing = Crossing(
            customer: "acme", feature: "tokens", meter: "tokens", period: FakeGate.period,
            threshold: .share(basisPoints: 8_000), limit: .finite(100), usedBefore: 79,
            usedAfter: 81, scale: 0, source: "plan pro v3",
            crossedAt: Timestamp(seconds: 1_795_256_102))
        return ([StoredCrossing(sequence: 4, crossing: crossing)], nil)
    }

    func setAside(
        kind: SetAsideEvent.Kind?, cursor: String?, limit: Int
    ) throws(QueryError) -> (events: [StoredSetAside], next: String?) {
        var headers: [UInt8] = []
        FlatHeaders.append(name: "ce_id", value: "7", to: &headers)
        let event = SetAsideEvent(
            kind: kind ?? .deadLetter, partition: 1, offset: 9,
            appendedAt: Timestamp(seconds: 1_795_256_102), reason: "unknown_subject",
            detail: "nobody owns it", subject: "key_9", headers: headers,
            payload: Array(#"{"a":1}"#.utf8))
        var broken = event
        broken.payload = [0xFF, 0x00]
        return (
            [
                StoredSetAside(sequence: 1, event: event),
                StoredSetAside(sequence: 2, event: broken),
            ],
            nil
        )
    }

    func totals() throws(QueryError) -> [MeterTotal] {
        [MeterTotal(customer: "acme", meter: "tokens", count: 3, value: 99)]
    }

    func reconcile() async throws(QueryError) -> ReconcileReport {
        ReconcileReport(
            eventsRead: 15, eventsCounted: 9, duplicates: 1, setAside: 2, filtered: 2,
            controlEvents: 1, rowsCompared: 4,
            drifts: [
                .init(
                    customer: "acme", meter: "tokens", period: nil, store: "ledger", recounted: 5,
                    stored: 4)
            ], notes: ["redis was not compared"])
    }
}
