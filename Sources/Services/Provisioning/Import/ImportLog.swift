import MeteringModel
import MeteringPorts

/// What the audit log says about an import: its own rows, those that were taken out again, and
/// records that something else changed afterwards and that may build on it.
struct ImportLog {
    /// Sequences of the import's rows, ascending.
    private(set) var own: [Int64] = []

    private let request: String
    private let rollBack: String
    private var undone: Set<Int64> = []
    private var records: Set<RecordReference> = []
    /// Customers whose records the import made or changed.
    private(set) var customers: Set<CustomerID> = []
    private var created: Set<CustomerID> = []
    private var others: [Other] = []

    private struct Other {
        var record: RecordReference
        var customer: CustomerID?
        var parent: CustomerID?
    }

    init(_ id: String) {
        request = id
        rollBack = BulkImport.rollBackRequest(id)
    }

    /// Rows must come in the order of their sequences.
    mutating func take(_ change: ControlChange) {
        let record = RecordReference(change.kind, change.id)
        switch change.requestID {
        case request:
            own.append(change.sequence)
            records.insert(record)
            if let customer = change.customer { customers.insert(customer) }
            if change.kind == .customer, change.action == .create {
                created.insert(CustomerID(change.id))
            }
        case rollBack:
            if let sequence = change.undoes { undone.insert(sequence) }
        default:
            if change.kind.isCatalog { return }
            let parent = change.kind == .customer ? change.patch["parent"]?.text : nil
            others.append(
                Other(
                    record: record, customer: change.customer,
                    parent: parent.map { CustomerID($0) }))
        }
    }

    /// The first row's sequence; the import changed nothing before.
    var first: Int64 { own.first ?? .max }

    /// The import's rows that still hold.
    var remaining: [Int64] { undone.isEmpty ? own : own.filter { !undone.contains($0) } }

    /// Whether the import changed the record.
    func touches(_ record: RecordReference) -> Bool { records.contains(record) }

    /// Records of other origin that belong to what the import made or changed.
    var suspects: Set<RecordReference> {
        var suspects: Set<RecordReference> = []
        for other in others {
            let isNear =
                records.contains(other.record)
                || (other.customer.map { created.contains($0) } ?? false)
                || (other.parent.map { created.contains($0) } ?? false)
            if isNear { suspects.insert(other.record) }
        }
        return suspects
    }

    func has(_ sequence: Int64) -> Bool {
        var low = 0
        var high = own.count
        while low < high {
            let middle = (low + high) / 2
            if own[middle] < sequence { low = middle + 1 } else { high = middle }
        }
        return low < own.count && own[low] == sequence
    }
}
