import Entitlements
import MeteringModel
import MeteringPorts
import SQLLedger
import Synchronization

/// Keeps a real ledger as metering would: rows of every period that a customer's timeline has,
/// rollups, late usage as adjustments; for sums only.
final class UsageBook: CumulativeUsage {
    struct Event: Sendable {
        var id: String
        var customer: CustomerID
        var meter: MeterKey
        var value: Int64
        var time: Timestamp
        /// The customer and its ancestors at the event's time.
        var levels: [CustomerID]
    }
    private struct State {
        var events: [Event] = []
        var rows: [UsageKey: Int64] = [:]
        var epoch: Int64 = 0
        var offset: Int64 = 0
    }
    let ledger: SQLLedger
    let catalog: CurrentCatalog
    let graceSeconds: Int64
    private let state = Mutex(State())

    init(_ ledger: SQLLedger, _ catalog: CurrentCatalog, graceSeconds: Int64) throws {
        self.ledger = ledger
        self.catalog = catalog
        self.graceSeconds = graceSeconds
        let epoch = try ledger.claim([0])[0].epoch
        state.withLock { $0.epoch = epoch }
    }

    var events: [Event] { state.withLock { $0.events } }

    func record(
        _ id: String, _ customer: CustomerID, _ value: Int64, _ time: Timestamp, now: Timestamp,
        meter: MeterKey = "tokens"
    ) throws {
        let snapshot = catalog.load()
        var levels: [CustomerID] = []
        if let number = snapshot.customerIndex(customer) {
            snapshot.lineage(of: number, at: time) { ancestor, _ in levels.append(ancestor.id) }
        }
        let event = Event(
            id: id, customer: customer, meter: meter, value: value, time: time, levels: levels)
        state.withLock { $0.events.append(event) }
        try commit([(event, value, 1)], now: now)
    }

    /// Takes an event out again, as a correction does.
    func void(_ id: String, now: Timestamp, tells: Bool = true) throws {
        let event = state.withLock { state -> Event? in
            guard let place = state.events.firstIndex(where: { $0.id == id }) else { return nil }
            return state.events.remove(at: place)
        }
        guard let event else { return }
        let correction = Adjustment.Correction(
            id: "void-" + id, action: .void, source: "test", eventID: id, reason: "sent twice")
        try commit([(event, -event.value, -1)], now: now, tells: tells, correction)
    }

    /// Rows of periods that a changed contract has, as a restatement makes them.
    func restate(now: Timestamp) throws {
        var wanted: [UsageKey: (value: Int64, count: Int64)] = [:]
        for event in events {
            for key in keys(of: event) {
                wanted[key, default: (0, 0)].value += event.value
                wanted[key, default: (0, 0)].count += 1
            }
        }
        let known = state.withLock { $0.rows }
        var batch = batch(now)
        for (key, total) in wanted where known[key] == nil {
            batch.usage.append(
                UsageDelta(
                    key: key, aggregation: .sum,
                    delta: UsageState(count: total.count, value: total.value), admitted: 0))
        }
        try write(batch)
    }

    private func keys(of event: Event) -> [UsageKey] {
        let snapshot = catalog.load()
        var keys: [UsageKey] = []
        for level in event.levels {
            guard let number = snapshot.customerIndex(level) else { continue }
            let owner = snapshot.customer(number)
            for segment in owner.segments {
                for quota in segment.quotas where quota.meter == event.meter {
                    let period = quota.rule.period(containing: event.time, zone: owner.zone)
                    let key = UsageKey(customer: level, meter: event.meter, period: period)
                    let isInForce = segment.start < period.end && period.start < segment.end
                    if isInForce, !keys.contains(key) { keys.append(key) }
                }
            }
        }
        return keys
    }

    private func batch(_ now: Timestamp) -> LedgerBatch {
        state.withLock { state in
            LedgerBatch(
                partition: 0, epoch: state.epoch, baseOffset: state.offset,
                nextOffset: state.offset + 1, completeTo: now)
        }
    }

    private func commit(
        _ changes: [(event: Event, value: Int64, count: Int64)], now: Timestamp,
        tells: Bool = true, _ correction: Adjustment.Correction? = nil
    ) throws {
        var batch = batch(now)
        let snapshot = catalog.load()
        for (event, value, count) in changes {
            let delta = UsageState(count: count, value: value)
            for key in keys(of: event) {
                batch.usage.append(
                    UsageDelta(key: key, aggregation: .sum, delta: delta, admitted: 0))
                let isLate = key.period.end.adding(seconds: graceSeconds) <= now
                if tells, isLate || correction != nil {
                    batch.adjustments.append(
                        Adjustment(
                            key: key, count: count, value: value, recordedAt: now,
                            correction: correction))
                }
            }
            for level in event.levels {
                guard let number = snapshot.customerIndex(level) else { continue }
                let zone = snapshot.customer(number).zone
                for (window, unit) in [(RollupWindow.hour, PeriodUnit.hour), (.day, .day)] {
                    let rule = PeriodRule(unit: unit, anchor: .calendar)
                    batch.rollups.append(
                        RollupDelta(
                            customer: level, meter: event.meter, window: window,
                            start: rule.period(
                                containing: event.time, zone: unit == .hour ? .utc : zone
                            ).start, dimensions: "{}", aggregation: .sum, delta: delta))
                }
            }
        }
        try write(batch)
    }

    private func write(_ batch: LedgerBatch) throws {
        _ = try ledger.commit(batch, score: { _ in [] })
        state.withLock { state in
            state.offset = batch.nextOffset
            for delta in batch.usage { state.rows[delta.key, default: 0] += delta.delta.value }
        }
    }

    // MARK: usage inside of a period, exact

    func states(
        customer: CustomerID, meter: MeterKey, period: Period, upTo cuts: [Timestamp]
    ) throws(LedgerError) -> [UsageState] {
        let events = events.filter { $0.levels.contains(customer) && $0.meter == meter }
        return cuts.map { cut in
            let before = events.filter { period.start <= $0.time && $0.time < cut }
            return UsageState(
                count: Int64(before.count), value: before.reduce(0) { $0 + $1.value })
        }
    }
}
