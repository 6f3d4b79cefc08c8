internal import MeteringModel
internal import MeteringPorts

// What a key that is bound to a customer may change and see: records of that customer's tree. Routes
// that reach further refuse such a key before they come here (`Route.Reach.installation`).
extension ControlRoutes {
    /// Before a command: everything it names must be of the tree.
    func checkTree(_ command: ControlCommand) async throws(Problem) {
        let principal = command.context.principal
        guard let root = principal.customer else { return }
        switch command.operation {
        case .create(let kind): try checkNew(kind, command.body, principal)
        case .put(let kind, let id), .patch(let kind, let id), .delete(let kind, let id):
            if kind == .customer, CustomerID(rawValue: id) == root {
                // Its place in the tree, and its being there, are not its own to change.
                guard case .patch = command.operation, command.body["parent"] == nil else {
                    throw .wrongCustomer
                }
            }
            try await checkOld(kind, id, command)
        case .provision, .revoke, .reinstate:
            let names = ["account_id", "customer_id", "customer"]
            let named = names.compactMap { command.body[$0]?.digits }
            if named.isEmpty { throw .wrongCustomer }
            for name in named { try trees.check(CustomerID(rawValue: name), principal) }
        case .assignSeat(let customer, _), .releaseSeat(let customer, _, _),
            .renewSeat(let customer, _, _), .mintToken(let customer):
            try trees.check(customer, principal)
        case .migrate, .undo, .createKey, .revokeKey, .rotateSigningKey: throw .wrongCustomer
        }
    }

    /// After a read: the record must be one of the tree. The catalog's belong to nobody.
    func checkTree(
        _ kind: RecordKind, _ id: String, _ document: JSONValue, _ principal: Principal
    ) throws(Problem) {
        if principal.customer == nil { return }
        switch kind {
        case .product, .meter, .feature, .plan, .addOn, .integration: return
        case .customer: try trees.check(CustomerID(rawValue: id), principal)
        case .subscription, .override, .grant, .suspension, .revocation, .seat:
            guard let owner = document["customer"]?.text else { throw .wrongCustomer }
            try trees.check(CustomerID(rawValue: owner), principal)
        }
    }

    /// A new customer must stand below one of the tree, a new record belong to one.
    private func checkNew(
        _ kind: RecordKind, _ body: JSONValue, _ principal: Principal
    ) throws(Problem) {
        let member = kind == .customer ? "parent" : "customer"
        guard RecordKind.contract.contains(kind), let named = body[member]?.text else {
            throw .wrongCustomer
        }
        try trees.check(CustomerID(rawValue: named), principal)
    }

    private func checkOld(
        _ kind: RecordKind, _ id: String, _ command: ControlCommand
    ) async throws(Problem) {
        guard RecordKind.contract.contains(kind) else { throw .wrongCustomer }
        let principal = command.context.principal
        var makes = false
        if case .put(_, _) = command.operation {
            // Replaces all of a record, its owner too.
            makes = true
            try checkNew(kind, command.body, principal)
        }
        let member = kind == .customer ? "parent" : "customer"
        if let value = command.body[member] {
            guard let named = value.text else { throw .wrongCustomer }
            try trees.check(CustomerID(rawValue: named), principal)
        }
        do throws(ControlProblem) {
            let found = try await control.read(
                ControlQuery(subject: .record(kind, id), principal: principal))
            try checkFound(kind, id, found.body, principal)
        } catch {
            if error.kind != .notFound || !makes { throw Problem(error) }
        }
    }

    /// `checkTree` where only a control problem may be thrown.
    private func checkFound(
        _ kind: RecordKind, _ id: String, _ document: JSONValue, _ principal: Principal
    ) throws(ControlProblem) {
        do throws(Problem) {
            try checkTree(kind, id, document, principal)
        } catch {
            throw ControlProblem(.forbidden, error.code, error.detail)
        }
    }
}
