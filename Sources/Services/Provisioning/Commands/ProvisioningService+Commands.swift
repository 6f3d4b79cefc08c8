import Entitlements
import MeteringModel
package import MeteringPorts

extension ProvisioningService {
    package func perform(
        _ command: ControlCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        let input = try input(of: command)
        try authorize(command.operation, input)
        let (body, context) = (input.body, input.context)
        switch command.operation {
        case .create(let kind):
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try RecordCommands.create(kind, body, &draft)
            }
        case .put(let kind, let id):
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try RecordCommands.put(kind, id, body, &draft)
            }
        case .patch(let kind, let id):
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try RecordCommands.patch(kind, id, body, &draft)
            }
        case .delete(let kind, let id):
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try RecordCommands.delete(kind, id, &draft)
            }
        case .revoke:
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try RevokeCommands.revoke(body, &draft)
            }
        case .reinstate:
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try RevokeCommands.reinstate(body, &draft)
            }
        case .migrate(let plan):
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try MigrateCommand.run(plan, body, &draft)
            }
        case .undo(let request):
            return try await run(command, context) {
                (draft: inout ControlDraft) throws(ControlProblem) in
                try UndoCommand.run(request, &draft)
            }
        case .assignSeat(let customer, let feature):
            return try await seats.assign(
                customer, feature, body, context, digest: command.digest)
        case .releaseSeat(let customer, let feature, let holder):
            return try await seats.release(
                customer, feature, holder, context, digest: command.digest)
        case .renewSeat(let customer, let feature, let holder):
            return try seats.renew(customer, feature, holder, context)
        case .provision:
            var lifted = command
            lifted.body = body
            lifted.context = context
            return try await parts.provision(lifted)
        case .createKey: return try await parts.access.create(body, context)
        case .revokeKey(let id): return try await parts.access.revoke(id, context)
        case .mintToken(let customer): return try await parts.tokens.mint(customer, body, context)
        case .rotateSigningKey: return try await rotateSigningKey(command, context)
        }
    }

    private func rotateSigningKey(
        _ command: ControlCommand, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer {
        let rotate = parts.tokens.rotate
        let answer = try await engine.once(context, digest: command.digest) {
            () throws(ControlProblem) in try await rotate(context)
        }
        // Not inside: it runs a command of its own.
        try await parts.tokens.rotated(answer, context)
        return answer
    }

    private func run(
        _ command: ControlCommand, _ context: CommandContext,
        _ body: @Sendable (inout ControlDraft) throws(ControlProblem) -> ControlAnswer
    ) async throws(ControlProblem) -> ControlAnswer {
        try await engine.run(context, digest: command.digest, body: body)
    }

    // MARK: the command's own words

    private func input(of command: ControlCommand) throws(ControlProblem) -> CommandInput {
        let keepsReason: Bool
        switch command.operation {
        case .create(let kind), .put(let kind, _), .patch(let kind, _):
            keepsReason = kind.needsReason
        case .revoke: keepsReason = true
        case .delete, .provision, .reinstate, .migrate, .assignSeat, .releaseSeat, .renewSeat,
            .undo, .createKey, .revokeKey, .mintToken, .rotateSigningKey:
            keepsReason = false
        }
        return try CommandInput(command, keepsReason: keepsReason, zone: zone(of: command))
    }

    /// The zone of the customer that a command speaks of, for dates without a time.
    private func zone(of command: ControlCommand) -> TimeZoneRules {
        let snapshot = engine.current.load()
        let named = ["customer", "customer_id", "account_id"].compactMap { command.body[$0]?.text }
        guard let id = named.first ?? owner(of: command.operation)?.rawValue,
            let number = snapshot.customerIndex(CustomerID(id))
        else { return .utc }
        return snapshot.customer(number).zone
    }

    // MARK: trees

    /// The customer of the record that an operation names; nil when there is none.
    private func owner(of operation: ControlCommand.Operation) -> CustomerID? {
        switch operation {
        case .put(.customer, let id), .patch(.customer, let id), .delete(.customer, let id):
            return CustomerID(id)
        case .put(let kind, let id), .patch(let kind, let id), .delete(let kind, let id):
            if kind.isCatalog { return nil }
            do throws(ControlStoreError) {
                return try engine.store.record(kind, id)?.customer
            } catch {
                return nil
            }
        case .assignSeat(let id, _), .releaseSeat(let id, _, _), .renewSeat(let id, _, _),
            .mintToken(let id):
            return id
        case .create, .provision, .revoke, .reinstate, .migrate, .undo, .createKey, .revokeKey,
            .rotateSigningKey:
            return nil
        }
    }

    /// Keeps a caller that is bound to a customer to its tree.
    private func authorize(
        _ operation: ControlCommand.Operation, _ input: CommandInput
    ) throws(ControlProblem) {
        let principal = input.context.principal
        guard let root = principal.customer else { return }
        switch operation {
        case .create(let kind), .put(let kind, _), .patch(let kind, _), .delete(let kind, _):
            if kind.isCatalog { throw TreeScope.refusal }
            try authorizeRecord(operation, kind, input.body, root, principal)
        case .provision, .revoke, .reinstate:
            for name in ["customer", "customer_id", "account_id"] {
                guard let id = input.body[name]?.text else { continue }
                try tree.require(CustomerID(id), principal)
            }
        case .undo(let request):
            for change in try changes(of: request) {
                guard let customer = change.customer, tree.mayName(customer, principal) else {
                    throw TreeScope.refusal
                }
            }
        case .assignSeat, .releaseSeat, .renewSeat, .mintToken:
            if let customer = owner(of: operation) { try tree.require(customer, principal) }
        case .migrate, .createKey, .revokeKey, .rotateSigningKey: throw TreeScope.refusal
        }
    }

    private func authorizeRecord(
        _ operation: ControlCommand.Operation, _ kind: RecordKind, _ body: JSONValue,
        _ root: CustomerID, _ principal: Principal
    ) throws(ControlProblem) {
        if kind != .customer {
            let named = body["customer"]?.text.map { CustomerID($0) }
            if let named { try tree.require(named, principal) }
            if let owner = owner(of: operation) { try tree.require(owner, principal) }
            if named == nil, owner(of: operation) == nil { throw TreeScope.refusal }
            return
        }
        // A bound caller makes customers below its own, and moves them within its tree.
        let id = owner(of: operation) ?? CustomerID(body["id"]?.text ?? "")
        let isKnown = engine.current.load().customerIndex(id) != nil
        if isKnown { try tree.require(id, principal) }
        if let parent = body["parent"]?.text {
            try tree.require(CustomerID(parent), principal)
            if id == root { throw TreeScope.refusal }
        } else if !isKnown || body["parent"] != nil {
            throw TreeScope.refusal
        } else if case .put = operation, id != root {
            throw TreeScope.refusal
        }
    }

    private func changes(of request: String) throws(ControlProblem) -> [ControlChange] {
        var changes: [ControlChange] = []
        while true {
            let last = changes.last?.sequence ?? 0
            let page: [AuditRow]
            do throws(ControlStoreError) {
                page = try engine.store.changes(
                    AuditFilter(requestID: request), after: last, limit: 5_000)
            } catch {
                throw .store(error)
            }
            changes += page.map(\.change)
            if page.count < 5_000 { return changes }
        }
    }
}
