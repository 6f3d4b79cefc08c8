import MeteringModel
import MeteringPorts

/// What became of events by corrections, as the ledger has them: what a recount of the log goes by.
///
/// Corrections are few (people make them), so all of them are kept in memory while a recount runs.
struct CorrectedEvents {
    /// An event's content as it counts now; nil when it does not.
    struct Fate {
        var event: LogPosition
        var content: EventContent?
    }
    private var fates: [UInt64: [Fate]] = [:]
    private var refused: Set<String> = []

    private static let page = 1_000

    /// - Parameter hash: what identities are hashed with.
    init(_ queries: any CorrectionQueries, hash: KeyHash) throws(LedgerError) {
        var after: Int64 = 0
        while true {
            let page = try queries.corrections(customer: nil, after: after, limit: Self.page)
            guard let last = page.last else { return }
            after = last.sequence
            for (_, record) in page { add(record, hash) }
        }
    }

    private mutating func add(_ record: CorrectionRecord, _ hash: KeyHash) {
        if record.refusal != nil {
            refused.insert(record.id)
            return
        }
        let fingerprint = EventInterpreter.fingerprint(
            source: hash.hash(record.source), id: hash.hash(record.eventID))
        let fate = Fate(event: record.event, content: record.added)
        var known = fates[fingerprint] ?? []
        // Later ones come later.
        known.removeAll { $0.event == record.event }
        fates[fingerprint] = known + [fate]
    }

    func fate(_ fingerprint: UInt64, _ info: LogRecordInfo) -> Fate? {
        let event = LogPosition(partition: info.partition, offset: info.offset)
        return fates[fingerprint]?.first { $0.event == event }
    }

    func isRefused(_ id: String) -> Bool { refused.contains(id) }
}
