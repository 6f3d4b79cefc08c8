import MeteringModel

/// Where a contract stands, for naming what is wrong with it.
enum ContractPlace: Sendable {
    /// Position among a document's customers.
    case document(Int)
    /// A record of the control plane.
    case record(CustomerID)

    func profile(_ field: String...) -> [String] {
        switch self {
        case .document(let index): ["customers", String(index)] + field
        case .record(let id): [RecordKind.customer.rawValue, id.rawValue] + field
        }
    }

    /// A record that belongs to the customer.
    func held(_ kind: RecordKind, _ index: Int, _ id: String, _ field: [String]) -> [String] {
        switch self {
        case .document(let customer):
            ["customers", String(customer), "\(kind.rawValue)s", String(index)] + field
        case .record: [kind.rawValue, id] + field
        }
    }
}
