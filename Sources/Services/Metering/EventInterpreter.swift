import Entitlements
import EventDecoding
import MeteringModel
import MeteringPorts
import Synchronization
import UsageAggregation

/// Turns records into folded usage: decode, attribute, match, dedupe, fold. Everything it decides
/// follows from the record, the catalog snapshot and the identities seen before, so that a second
/// reading of the same records comes out the same.
///
/// Used from one thread.
final class EventInterpreter {
    private(set) var segments: Segments
    let hash: KeyHash
    let settings: MeteringSettings
    let counters: MeteringCounters
    let instance: String
    var dimensions: DimensionNames
    var dedupe: DedupeIndex
    private var cache = SegmentCache()
    /// What the decoder was made for; the same in every snapshot adopted.
    private let definitions: CompiledDefinitions
    private let decoder: EventDecoder
    private let controlSlot: Int
    private(set) var pending: [PendingValue] = []
    /// The month of append times, and its number since 1970-01.
    private var month = (period: Period(start: .distantPast, end: .distantPast), number: Int32(0))
    /// What became of events by corrections, for recounts; nil where events are counted for the
    /// first time, and corrections by themselves.
    let corrected: CorrectedEvents?
    /// For events inside of corrections: the decoder is busy with the correction then.
    private(set) lazy var contentDecoder = EventDecoder(
        plan: Self.plan(snapshot), maximumBytes: settings.maximumEventBytes)

    /// One meter's share of the event at hand, kept until the whole event is known to be good.
    struct PendingValue {
        var meter: CompiledMeter
        var value: Int64
        var member: UInt64
        var dimensions: Int32 = 0
    }

    /// - Parameters:
    ///   - sets: of dimension values, as admitted by what was read before.
    ///   - cuts: instants that no cell of a fold may straddle, ascending.
    init(
        snapshot: CatalogSnapshot, settings: MeteringSettings, counters: MeteringCounters,
        instance: String, dedupe: consuming DedupeIndex, sets: DimensionSets,
        cuts: [Timestamp] = [], corrected: CorrectedEvents? = nil
    ) {
        dimensions = DimensionNames(key: snapshot.hash, sets: sets)
        self.corrected = corrected
        segments = Segments(snapshot: snapshot, cuts: cuts)
        hash = snapshot.hash
        definitions = snapshot.definitions
        self.settings = settings
        self.counters = counters
        self.instance = instance
        self.dedupe = dedupe
        controlSlot = snapshot.paths.count
        decoder = EventDecoder(
            plan: Self.plan(snapshot), maximumBytes: settings.maximumEventBytes)
    }

    var snapshot: CatalogSnapshot { segments.snapshot }

    /// Goes on with other customers and entitlements but the same definitions: numbers of customers
    /// and meters stay what they are, so a fold that has begun may go on too.
    /// - Returns: false when the definitions differ, which takes an interpreter of their own.
    func adopt(_ next: CatalogSnapshot) -> Bool {
        guard next.definitions === definitions else { return false }
        segments = Segments(snapshot: next, cuts: segments.cuts)
        cache.removeAll()
        return true
    }

    /// Slots of the catalog's paths, then those of Tollgate's own events.
    static func plan(_ snapshot: CatalogSnapshot) -> DecodePlan {
        DecodePlan(
            paths: snapshot.paths.map(\.members)
                + ControlEvent.Member.allCases.map(ControlEvent.path))
    }

    /// Folds one record in. The record's outcome is in `target` when this returns.
    func interpret(
        _ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan, into target: PartitionFold
    ) {
        target.nextOffset = info.offset + 1
        target.recordCount += 1
        if info.appendedAt > target.completeTo { target.completeTo = info.appendedAt }
        do throws(DecodeFailure) {
            let problem: EventProblem?
            if EventDecoder.isStructured(headers: headers) {
                if info.isNull {
                    problem = EventProblem(
                        code: "null_payload", detail: "the record has no value and no ce_ headers")
                } else {
                    problem = try decoder.decodeStructured(value) { event in
                        self.take(event, info, into: target)
                    }
                }
            } else {
                problem = try decoder.decodeBinary(
                    headers: headers, data: value, isNull: info.isNull
                ) { event in self.take(event, info, into: target) }
            }
            if let problem { setAside(problem, info, headers, value, target) }
        } catch {
            let problem = EventProblem(code: error.code, detail: error.detail)
            setAside(problem, info, headers, value, target)
        }
    }

    // MARK: one event

    /// Nil when the event was counted, was a duplicate, or was filtered out.
    private func take(
        _ event: borrowing DecodedEvent, _ info: LogRecordInfo, into target: PartitionFold
    ) -> EventProblem? {
        let hash = hash
        let meters = event.withAttribute(.type) { type in
            definitions.metersOfType(hash.hash(type), type)
        }
        if meters.isEmpty {
            return takeOther(event, info, into: target)
        }
        guard event.has(.subject) else {
            return EventProblem(code: "missing_subject", detail: "the event names no subject")
        }
        let customer = event.withAttribute(.subject) { subject in
            snapshot.customerIndex(subjectHash: hash.hash(subject), subject: subject)
        }
        guard let customer else {
            let subject = event.withAttribute(.subject) { Self.text($0) }
            return EventProblem(code: "unknown_subject", detail: subject)
        }
        var at = info.appendedAt
        if let problem = Self.readTime(event, info.appendedAt, settings, &at) { return problem }
        if let problem = collect(event, meters) { return problem }
        if pending.isEmpty {
            counters.filtered.add(1, ordering: .relaxed)
            return nil
        }
        let fingerprint = Self.fingerprint(event, hash)
        if !isFirst(fingerprint, content: content(at), info, target) { return nil }
        counters.counted.add(1, ordering: .relaxed)
        // Only now: a duplicate takes no room from other sets.
        numberDimensions(event, info.appendedAt)
        if let corrected, let fate = corrected.fate(fingerprint, info) {
            return recount(fate, customer: customer, at: at, into: target)
        }
        let isLate =
            info.appendedAt.microseconds(since: at)
            > settings.closingGraceSeconds * 1_000_000
        for item in pending {
            add(
                meter: item.meter.meterIndex, item.meter.aggregation, customer: customer,
                value: item.value, at: at, member: item.member, dimensions: item.dimensions,
                admitted: 0, admittedHere: 0, isLate: isLate, to: target)
        }
        return nil
    }

    /// Checks filters and reads values of every meter before any of them is counted.
    func collect(
        _ event: borrowing DecodedEvent, _ meters: [CompiledMeter]
    ) -> EventProblem? {
        pending.removeAll(keepingCapacity: true)
        for meter in meters {
            if !meter.filters.isEmpty, !EventValues.passes(event, meter.filters) { continue }
            var item = PendingValue(meter: meter, value: 1, member: 0)
            if let slot = meter.valueSlot {
                if meter.aggregation == .unique {
                    let member = event.withValue(slot) { kind, text in
                        kind == .string || kind == .number || kind == .boolean
                            ? hash.hash(text) : nil
                    }
                    guard let member else { return EventValues.missing(snapshot, meter) }
                    item.member = member
                } else {
                    switch EventValues.units(event, slot, meter) {
                    case .success(let units): item.value = units
                    case .failure(let problem): return problem
                    }
                }
            }
            pending.append(item)
        }
        return nil
    }

    /// - Parameter appendedAt: its month bounds how many sets are kept apart.
    func numberDimensions(_ event: borrowing DecodedEvent, _ appendedAt: Timestamp) {
        for index in pending.indices {
            pending[index].dimensions = dimensionNumber(event, pending[index].meter, appendedAt)
        }
    }

    private func dimensionNumber(
        _ event: borrowing DecodedEvent, _ meter: CompiledMeter, _ appendedAt: Timestamp
    ) -> Int32 {
        if meter.groupBySlots.isEmpty { return 0 }
        let month = monthNumber(appendedAt)
        var hash =
            UInt64(truncatingIfNeeded: meter.meterIndex) &+ 1
            &+ UInt64(UInt32(bitPattern: month)) &<< 32
        for group in meter.groupBySlots {
            let part = event.withValue(group.slot) { kind, text in
                self.hash.hash(text) ^ UInt64(kind == .missing || kind == .null ? 1 : 0)
            }
            hash = (hash ^ part) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 31
        }
        if let known = dimensions.known(hash) { return known }
        var values: [(name: String, value: String)] = []
        for group in meter.groupBySlots {
            values.append((group.name, event.withValue(group.slot) { _, text in Self.text(text) }))
        }
        let names = DimensionNames.Meter(
            index: Int32(truncatingIfNeeded: meter.meterIndex),
            key: snapshot.meters[meter.meterIndex].key, groupsMax: meter.groupsMax)
        return dimensions.insert(names, month: month, hash: hash, values: values)
    }

    private func monthNumber(_ at: Timestamp) -> Int32 {
        if !month.period.contains(at) {
            month = (Segments.month(at, .utc), Segments.monthNumber(at))
        }
        return month.number
    }

    /// What tells events of one identity apart: time and values.
    private func content(_ at: Timestamp) -> UInt64 {
        var content = UInt64(bitPattern: at.microseconds)
        for item in pending {
            content =
                (content ^ UInt64(bitPattern: item.value) ^ item.member)
                &* 0xbf58_476d_1ce4_e5b9
            content ^= content >> 29
        }
        return content
    }

    /// Whether the identity is new.
    func isFirst(
        _ fingerprint: UInt64, content: UInt64, _ info: LogRecordInfo, _ target: PartitionFold
    ) -> Bool {
        let mark = DedupeIndex.mark(content: content, offset: info.offset)
        let verdict = dedupe.observe(
            fingerprint, mark: mark, partition: info.partition, at: info.appendedAt)
        switch verdict {
        case .first:
            target.marks.append(
                DedupeMark(fingerprint: fingerprint, offset: Int64(bitPattern: mark)))
            return true
        case .duplicate: counters.duplicates.add(1, ordering: .relaxed)
        case .conflict:
            counters.duplicates.add(1, ordering: .relaxed)
            counters.conflicts.add(1, ordering: .relaxed)
        }
        return false
    }

    func add(
        meter: Int, _ aggregation: Aggregation, customer: Int, value: Int64, at: Timestamp,
        member: UInt64, dimensions: Int32, admitted: Int64, admittedHere: Int64, isLate: Bool,
        to target: PartitionFold
    ) {
        let start = cache.start(
            customer: Int32(truncatingIfNeeded: customer),
            meter: Int32(truncatingIfNeeded: meter), at: at
        ) { segments.around(at, customer: customer, meter: meter) }
        let key = FoldKey(
            customer: Int32(truncatingIfNeeded: customer),
            meter: Int32(truncatingIfNeeded: meter), segmentStart: start,
            dimensions: dimensions)
        // The pipeline keeps the batch's magnitude below 2^62, so this cannot overflow.
        _ = target.fold.add(
            key, aggregation, value: value, at: at.microseconds, member: member,
            admitted: admitted, admittedHere: admittedHere, isLate: isLate)
        let (sum, overflow) = target.magnitude.addingReportingOverflow(
            Int64(clamping: value.magnitude))
        target.magnitude = overflow ? .max : sum
    }

    // MARK: Tollgate's own events

    private func takeOther(
        _ event: borrowing DecodedEvent, _ info: LogRecordInfo, into target: PartitionFold
    ) -> EventProblem? {
        let type = event.withAttribute(.type) { Self.text($0) }
        guard type.hasPrefix(ControlEvent.typePrefix) else {
            return EventProblem(
                code: "unknown_type", detail: "no meter takes events of type \(type)")
        }
        var fields = ControlEvent.Fields([:])
        for member in ControlEvent.Member.allCases {
            fields.values[member] = event.withValue(controlSlot + member.rawValue) { _, text in
                Self.text(text)
            }
        }
        let id = event.withAttribute(.id) { Self.text($0) }
        let mac = String(hash.hash(fields.canonicalText(type: type, id: id)), radix: 16)
        guard mac == fields[.mac] else {
            return EventProblem(
                code: "reserved_type",
                detail: "types that start with tollgate. are Tollgate's own; use another type")
        }
        var at = info.appendedAt
        _ = Self.readTime(event, info.appendedAt, settings, &at)
        let fingerprint = Self.fingerprint(event, hash)
        counters.control.add(1, ordering: .relaxed)
        return ControlFold(interpreter: self, target: target, info: info, at: at)
            .take(type: type, id: id, fields: fields, fingerprint: fingerprint)
    }

    // MARK: parts

    private static func fingerprint(_ event: borrowing DecodedEvent, _ hash: KeyHash) -> UInt64 {
        // Identity is (source, id); the source's hash is mixed in with its length by KeyHash.
        let source = event.withAttribute(.source) { hash.hash($0) }
        let id = event.withAttribute(.id) { hash.hash($0) }
        return fingerprint(source: source, id: id)
    }

    /// - Parameters: the hashes of both texts.
    static func fingerprint(source: UInt64, id: UInt64) -> UInt64 {
        var mixed = (source ^ 0x9e37_79b9_7f4a_7c15) &* 0xff51_afd7_ed55_8ccd
        mixed ^= mixed >> 33
        mixed = (mixed &+ id) &* 0xc4ce_b9fe_1a85_ec53
        return mixed ^ (mixed >> 33)
    }

    static func readTime(
        _ event: borrowing DecodedEvent, _ appendedAt: Timestamp, _ settings: MeteringSettings,
        _ at: inout Timestamp
    ) -> EventProblem? {
        guard event.has(.time) else { return nil }
        guard let time = event.withAttribute(.time, { Timestamp(rfc3339: $0) }) else {
            return EventProblem(
                code: "invalid_time", detail: "time is not an RFC 3339 timestamp")
        }
        let ahead = time.microseconds(since: appendedAt)
        if ahead > settings.maximumAheadSeconds * 1_000_000 {
            return EventProblem(
                code: "time_in_future",
                detail: "time is more than \(settings.maximumAheadSeconds) s ahead")
        }
        if -ahead > settings.maximumAgeSeconds * 1_000_000, !event.has(.backfill) {
            return EventProblem(
                code: "time_too_old",
                detail: "time is more than \(settings.maximumAgeSeconds / 86_400) days old; "
                    + "send it as a backfill to count it in its own period")
        }
        at = time
        return nil
    }

    static func text(_ span: RawSpan) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(span.byteCount)
        for index in 0..<span.byteCount { bytes.append(span.byte(at: index)) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func setAside(
        _ problem: EventProblem, _ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan,
        _ target: PartitionFold
    ) {
        let isQuarantine = problem.code == "unknown_subject" || problem.code == "unknown_customer"
        let kept = min(value.byteCount, settings.setAsideBytesMax)
        let cut = value.byteCount > kept ? " (payload cut to \(kept) bytes)" : ""
        target.setAside.append(
            SetAsideEvent(
                kind: isQuarantine ? .quarantine : .deadLetter, partition: info.partition,
                offset: info.offset, appendedAt: info.appendedAt, reason: problem.code,
                detail: (isQuarantine ? "no customer has it: " : "") + problem.detail + cut,
                subject: isQuarantine ? problem.detail : "",
                headers: EventValues.bytes(headers, headers.byteCount),
                payload: EventValues.bytes(value, kept)))
        target.setAsideBytes += kept
        counters.countSetAside(problem.code)
    }
}

extension EventInterpreter {
    /// Hands the remembered identities on to the interpreter of the next catalog.
    func takeDedupe() -> DedupeIndex {
        var taken = DedupeIndex(windowSeconds: settings.dedupeWindowSeconds)
        swap(&taken, &dedupe)
        return taken
    }
}
