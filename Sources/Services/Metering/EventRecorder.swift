package import Entitlements
import EventDecoding
import MeteringModel
package import MeteringPorts
import Synchronization

/// Takes events from the edges to the log, and set-aside events back to it.
package final class EventRecorder: EventIngest {
    private let writer: any EventLogWriter
    private let queries: any LedgerQueries
    private let control: any LedgerControl
    private let catalog: CurrentCatalog
    private let settings: MeteringSettings
    private let clock: WallClock
    private let idle = Mutex<[Checker]>([])

    package init(
        writer: any EventLogWriter, queries: any LedgerQueries, control: any LedgerControl,
        catalog: CurrentCatalog, settings: MeteringSettings, clock: WallClock
    ) {
        self.writer = writer
        self.queries = queries
        self.control = control
        self.catalog = catalog
        self.settings = settings
        self.clock = clock
    }

    package func record(_ events: [AcceptedEvent]) async throws(EventLogError) {
        if events.isEmpty { return }
        _ = try await writer.append(events.map { LogAppend(key: $0.key, value: $0.json) })
    }

    package func problem(with event: RawSpan, allowsBackfill: Bool) -> EventProblem? {
        let checker = takeChecker()
        defer { idle.withLock { if $0.count < 16 { $0.append(checker) } } }
        return checker.problem(
            with: event, now: clock.now(), settings: settings, allowsBackfill: allowsBackfill)
    }

    package func redrive(
        kind: SetAsideEvent.Kind?, limit: Int
    ) async throws(EventLogError) -> Int {
        var after: Int64 = 0
        var redriven = 0
        while redriven < limit {
            let page = try stored(kind, after: after, limit: min(500, limit))
            guard let last = page.last else { break }
            after = last.sequence
            let snapshot = catalog.load()
            let ready = page.filter { isReady($0.event, snapshot) }.prefix(limit - redriven)
            if ready.isEmpty { continue }
            _ = try await writer.append(
                ready.map {
                    LogAppend(
                        key: $0.event.subject, headers: $0.event.headers, value: $0.event.payload)
                })
            do throws(LedgerError) {
                try control.markRedriven(ready.map(\.sequence))
            } catch {
                throw EventLogError(
                    code: .unreachable, message: "appended, but not marked: \(error.message)",
                    isRetriable: true, outcome: .unknown)
            }
            redriven += ready.count
        }
        return redriven
    }

    /// Reasons of entries that stand for no event of their own.
    private static let unsent: Set<String> = ["total_overflow", "correction_refused"]

    /// Quarantined events wait for their subject; cut payloads cannot be counted at all.
    private func isReady(_ event: SetAsideEvent, _ snapshot: CatalogSnapshot) -> Bool {
        if event.payload.count >= settings.setAsideBytesMax || Self.unsent.contains(event.reason) {
            return false
        }
        guard event.kind == .quarantine else { return true }
        if event.reason == "unknown_customer" {
            return snapshot.liveCustomer(CustomerID(event.subject)) != nil
        }
        return snapshot.customerIndex(ofSubject: SubjectID(event.subject)) != nil
    }

    private func stored(
        _ kind: SetAsideEvent.Kind?, after: Int64, limit: Int
    ) throws(EventLogError) -> [StoredSetAside] {
        do throws(LedgerError) {
            return try queries.setAside(kind: kind, after: after, limit: limit)
        } catch {
            throw EventLogError(code: .unreachable, message: error.message, isRetriable: true)
        }
    }

    private func takeChecker() -> Checker {
        let generation = catalog.generation
        guard let checker = idle.withLock({ $0.popLast() }) else {
            return Checker(catalog.load(), generation: generation, settings: settings)
        }
        if checker.generation == generation { return checker }
        let snapshot = catalog.load()
        return checker.adopt(snapshot, generation: generation)
            ? checker : Checker(snapshot, generation: generation, settings: settings)
    }

    /// One thread's decoder with the snapshot it was made for.
    private final class Checker: @unchecked Sendable {
        // SAFETY: taken out of the pool by one caller at a time; the pool's Mutex orders the hand-over.
        private(set) var generation: Int64
        private var snapshot: CatalogSnapshot
        private let decoder: EventDecoder

        init(_ snapshot: CatalogSnapshot, generation: Int64, settings: MeteringSettings) {
            self.snapshot = snapshot
            self.generation = generation
            decoder = EventDecoder(
                plan: EventInterpreter.plan(snapshot), maximumBytes: settings.maximumEventBytes)
        }

        /// - Returns: false when the definitions are other ones, which takes another decoder.
        func adopt(_ next: CatalogSnapshot, generation: Int64) -> Bool {
            guard next.definitions === snapshot.definitions else { return false }
            snapshot = next
            self.generation = generation
            return true
        }

        func problem(
            with event: RawSpan, now: Timestamp, settings: MeteringSettings,
            allowsBackfill: Bool
        ) -> EventProblem? {
            do throws(DecodeFailure) {
                return try decoder.decodeStructured(event) { event in
                    if event.has(.backfill), !allowsBackfill {
                        return EventProblem(
                            code: "backfill_not_asked_for",
                            detail: "the event is marked as a backfill: send it with ?backfill=true"
                        )
                    }
                    return self.check(event, now, settings)
                }
            } catch {
                return EventProblem(code: error.code, detail: error.detail)
            }
        }

        private func check(
            _ event: borrowing DecodedEvent, _ now: Timestamp, _ settings: MeteringSettings
        ) -> EventProblem? {
            let isReserved = event.withAttribute(.type) { type in
                EventInterpreter.text(type).hasPrefix(ControlEvent.typePrefix)
            }
            if isReserved {
                return EventProblem(
                    code: "reserved_type",
                    detail: "types that start with tollgate. are Tollgate's own; use another type")
            }
            guard event.has(.subject) else {
                return EventProblem(
                    code: "missing_subject", detail: "name the API key, user or device in subject")
            }
            var at = now
            if let problem = EventInterpreter.readTime(event, now, settings, &at) {
                return problem
            }
            let hash = snapshot.hash
            let meters = event.withAttribute(.type) { type in
                snapshot.metersOfType(hash.hash(type), type)
            }
            for meter in meters where EventValues.passes(event, meter.filters) {
                guard let slot = meter.valueSlot, meter.aggregation != .unique else { continue }
                if case .failure(let problem) = EventValues.units(event, slot, meter) {
                    return problem
                }
            }
            return nil
        }
    }
}
