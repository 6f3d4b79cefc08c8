import Entitlements
package import MeteringModel
package import MeteringPorts

/// The control plane: takes each command and query to the part that carries it out, and keeps
/// callers that are bound to a customer to its tree.
package final class ProvisioningService: ControlPlane {
    package typealias Answer = ControlAnswer

    /// What other parts of the program do, each given when the service is made.
    package struct Parts: Sendable {
        package typealias Importing =
            @Sendable ([UInt8], ImportOptions, CommandContext) async throws(ControlProblem) ->
            Answer
        package typealias RollingBack =
            @Sendable (String, CommandContext) async throws(ControlProblem) -> Answer
        package typealias TakingWebhook =
            @Sendable (String, [UInt8], String?) async throws(ControlProblem) -> Answer

        /// `POST /v1/entitlements`
        package var provision: @Sendable (ControlCommand) async throws(ControlProblem) -> Answer
        package var importCustomers: Importing
        package var rollBackImport: RollingBack
        /// System, body, signature.
        package var webhook: TakingWebhook
        package var access: AccessCommands
        package var tokens: TokenCommands
        package var auditHead: @Sendable () throws(ControlProblem) -> Answer
        /// What restatements changed of a customer's usage.
        package var adjustments:
            @Sendable (CustomerID, ControlQuery) throws(ControlProblem) -> Answer

        package init(
            provision: @escaping @Sendable (ControlCommand) async throws(ControlProblem) -> Answer,
            importCustomers: @escaping Importing, rollBackImport: @escaping RollingBack,
            webhook: @escaping TakingWebhook, access: AccessCommands, tokens: TokenCommands,
            auditHead: @escaping @Sendable () throws(ControlProblem) -> Answer,
            adjustments:
                @escaping @Sendable (CustomerID, ControlQuery) throws(ControlProblem) -> Answer
        ) {
            self.provision = provision
            self.importCustomers = importCustomers
            self.rollBackImport = rollBackImport
            self.webhook = webhook
            self.access = access
            self.tokens = tokens
            self.auditHead = auditHead
            self.adjustments = adjustments
        }
    }

    let engine: ControlEngine
    let parts: Parts
    let tree: TreeScope
    let seats: SeatCommands

    package init(engine: ControlEngine, parts: Parts) {
        self.engine = engine
        self.parts = parts
        tree = TreeScope(engine: engine)
        seats = SeatCommands(engine: engine)
    }

    // MARK: bulk

    package func importCustomers(
        _ body: [UInt8], _ options: ImportOptions, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer {
        try tree.requireUnbound(context.principal)
        return try await parts.importCustomers(body, options, context)
    }

    package func rollBackImport(
        _ id: String, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer {
        try tree.requireUnbound(context.principal)
        return try await parts.rollBackImport(id, context)
    }

    package func webhook(
        _ system: String, body: [UInt8], signature: String?
    ) async throws(ControlProblem) -> ControlAnswer {
        try await parts.webhook(system, body, signature)
    }

    // MARK: queries

    package func read(_ query: ControlQuery) async throws(ControlProblem) -> ControlAnswer {
        let records = RecordQueries(engine: engine, tree: tree)
        let audit = AuditQueries(engine: engine, tree: tree)
        switch query.subject {
        case .list(let kind): return try records.list(kind, query)
        case .record(let kind, let id): return try records.record(kind, id, query)
        case .planVersions(let key): return try records.planVersions(key)
        case .seats(let customer, let feature):
            try tree.require(customer, query.principal)
            return try seats.list(customer, feature, query)
        case .adjustments(let customer):
            try tree.require(customer, query.principal)
            return try parts.adjustments(customer, query)
        case .audit(let filter): return try audit.rows(filter, query)
        case .auditHead: return try parts.auditHead()
        case .request(let id): return try audit.request(id, query)
        case .importProgress(let id):
            try tree.requireUnbound(query.principal)
            return try audit.importProgress(id)
        case .keys: return try parts.access.list(query.principal)
        case .jwks: return try parts.tokens.jwks()
        }
    }
}

/// Making, taking back and listing access keys.
package struct AccessCommands: Sendable {
    package typealias Answer = ControlAnswer
    package var create: @Sendable (JSONValue, CommandContext) async throws(ControlProblem) -> Answer
    package var revoke: @Sendable (String, CommandContext) async throws(ControlProblem) -> Answer
    package var list: @Sendable (Principal) throws(ControlProblem) -> Answer

    package init(
        create:
            @escaping @Sendable (JSONValue, CommandContext) async throws(ControlProblem) ->
            Answer,
        revoke: @escaping @Sendable (String, CommandContext) async throws(ControlProblem) -> Answer,
        list: @escaping @Sendable (Principal) throws(ControlProblem) -> Answer
    ) {
        self.create = create
        self.revoke = revoke
        self.list = list
    }
}

/// Minting tokens for offline use, and the keys that sign them.
package struct TokenCommands: Sendable {
    package typealias Answer = ControlAnswer
    package var mint:
        @Sendable (CustomerID, JSONValue, CommandContext) async throws(ControlProblem) -> Answer
    package var rotate: @Sendable (CommandContext) async throws(ControlProblem) -> Answer
    /// Called after a rotation, also when its answer was a repeated one: notes it in the audit log.
    package var rotated: @Sendable (Answer, CommandContext) async throws(ControlProblem) -> Void
    package var jwks: @Sendable () throws(ControlProblem) -> Answer

    package init(
        mint:
            @escaping @Sendable (CustomerID, JSONValue, CommandContext) async throws(ControlProblem)
            -> Answer,
        rotate: @escaping @Sendable (CommandContext) async throws(ControlProblem) -> Answer,
        rotated:
            @escaping @Sendable (Answer, CommandContext) async throws(ControlProblem) -> Void = {
                (_, _) throws(ControlProblem) in
            },
        jwks: @escaping @Sendable () throws(ControlProblem) -> Answer
    ) {
        self.mint = mint
        self.rotate = rotate
        self.rotated = rotated
        self.jwks = jwks
    }
}
