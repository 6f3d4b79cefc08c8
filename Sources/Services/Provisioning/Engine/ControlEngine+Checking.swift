import Entitlements
import MeteringModel
import MeteringPorts

extension ControlEngine {
    /// Checks all that a draft touches, and compiles it.
    /// - Returns: nil when no snapshot depends on the draft.
    func check(_ draft: ControlDraft) throws(ControlProblem) -> SnapshotBuilder.Update? {
        var customers: Set<CustomerID> = []
        for change in draft.changes where change.kind.isContract {
            if let customer = change.customer { customers.insert(customer) }
            if change.kind == .customer { try Self.checkMove(change, now: draft.now) }
        }
        // Nothing compiled depends on what Stripe's prices stand for.
        let isDefined = draft.changes.contains { $0.kind.isCatalog && $0.kind != .integration }
        if customers.isEmpty, !isDefined { return nil }
        let contracts = try SnapshotBuilder.contracts(of: customers, in: draft)
        let revision = draft.base + Int64(draft.changes.count)
        return try isDefined
            ? SnapshotBuilder.rebuild(
                current.load(), contracts, definitions: draft.definitions, revision: revision,
                leftOut: Set(leftOut.keys), store: store, zone: zone)
            : SnapshotBuilder.update(
                current.load(), contracts, definitions: draft.definitions, revision: revision)
    }

    /// Usage was counted with the parent of its time: that cannot be changed afterwards.
    private static func checkMove(
        _ change: ControlChange, now: Timestamp
    ) throws(ControlProblem) {
        guard let before = change.before, let after = change.after,
            before["parent"] != after["parent"], change.effectiveAt < now
        else { return }
        throw .invalid(
            "past_move",
            "a customer can only be moved from now on: its usage since "
                + "\(change.effectiveAt.rfc3339()) has been counted with its parent",
            field: "parent")
    }
}
