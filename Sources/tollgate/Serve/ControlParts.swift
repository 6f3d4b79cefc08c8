import Entitlements
import Foundation
import HTTPAPI
import Logging
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import SQLLedger
import YAMLCatalog

/// The control plane, opened: records and their log, the engine that changes them, keys, catalog.
struct ControlParts: Sendable {
    let store: SQLCatalog
    let engine: ControlEngine
    let access: AccessBook
    let signing: SigningKeys
    let catalog: CatalogService
    private let stripeSecrets: [String]

    static func open(
        _ configuration: Configuration, hash: KeyHash, clock: WallClock, logger: Logger
    ) async throws -> ControlParts {
        let directory = configuration.dataDirectory
        let fileKeys = try SecretFile.keys(configuration.apiKeysFile)
        let stripe = try SecretFile.read(
            configuration.stripeSecretFile, flag: "--stripe-webhook-secret-file")
        let store = try SQLCatalog(path: directory + "/catalog.db")
        let engine = try await ControlEngine.open(
            store: store, hash: hash, zone: { try? ZoneFiles.load($0) }, clock: clock,
            logger: logger)
        let current = engine.current
        let access = try AccessBook(
            store: store, fileSecrets: fileKeys, clock: clock,
            isInTree: { CustomerTree.isInTree($0, of: $1, current.load(), clock.now()) },
            owner: { CustomerTree.owner(of: $0, current.load()) })
        let catalog = CatalogService(
            engine: engine,
            language: CatalogLanguage(
                read: { (text) throws(CatalogProblems) in
                    let document = try YAMLCatalog.document(text)
                    return CatalogLanguage.Document(
                        catalog: document.catalog, problems: { document.problems(for: $0) })
                }, render: { YAMLCatalog.render($0) }))
        let parts = ControlParts(
            store: store, engine: engine, access: access,
            signing: try SigningKeys(directory: directory + "/signing-keys", clock: clock),
            catalog: catalog, stripeSecrets: stripe)
        if let path = configuration.catalogPath { try await parts.applyCatalog(path) }
        if configuration.apiKeysFile == nil, !access.hasKeys {
            logger.notice(
                """
                no API key yet: only this machine is served, and everybody on it may do \
                everything. Make the first key with: tollgate keys create --name me --scope admin
                """)
        }
        return parts
    }

    /// The document that was applied last is not applied again: what was changed over the API since
    /// then stays.
    private func applyCatalog(_ path: String) async throws {
        let yaml = try CatalogFile.read(path)
        if try store.setting("catalog_document")?["text"]?.text == yaml { return }
        let context = CommandContext(
            principal: .local, source: "catalog", requestID: "start-" + UUID().uuidString)
        do throws(CatalogProblems) {
            _ = try await catalog.apply(yaml, CatalogApplyOptions(), context)
        } catch {
            throw CatalogFile.error(path, error)
        }
    }

    /// What the edge asks.
    func service(gate: any EntitlementGate, ledger: any LedgerQueries) -> ProvisioningService {
        let importing = BulkImport(engine: engine)
        let stripe = StripeEndpoint(engine: engine, secrets: stripeSecrets)
        let (engine, signing, store) = (engine, signing, store)
        let parts = ProvisioningService.Parts(
            provision: { (command) throws(ControlProblem) in
                try await engine.run(command.context, digest: command.digest) {
                    (draft) throws(ControlProblem) in
                    try OrderIntake.provision(command.body, on: &draft)
                }
            },
            importCustomers: { (body, options, context) throws(ControlProblem) in
                try await importing.run(body, options, context)
            },
            rollBackImport: { (id, context) throws(ControlProblem) in
                try await importing.rollBack(id, context)
            },
            webhook: { (system, body, signature) throws(ControlProblem) in
                guard system == "stripe" else {
                    throw ControlProblem(.notFound, "not_found", "no webhooks of \(system)")
                }
                return try await stripe.receive(body, signature: signature)
            },
            access: accessCommands(), tokens: tokenCommands(gate),
            auditHead: { () throws(ControlProblem) in
                try AuditHead.answer(store, AuditSigner(keys: signing), engine.clock)
            },
            adjustments: { (customer, query) throws(ControlProblem) in
                try AdjustmentPage.answer(customer, query, ledger)
            })
        return ProvisioningService(engine: engine, parts: parts)
    }

    private func accessCommands() -> AccessCommands {
        let (access, engine) = (access, engine)
        return AccessCommands(
            create: { (body, context) throws(ControlProblem) in
                let answer = try access.create(body, context)
                try await CredentialLog.note(answer, context, engine)
                return answer
            },
            revoke: { (id, context) throws(ControlProblem) in
                let answer = try access.revoke(id, context)
                try await CredentialLog.note(answer, context, engine)
                return answer
            },
            list: { (principal) throws(ControlProblem) in try access.list(principal) })
    }

    private func tokenCommands(_ gate: any EntitlementGate) -> TokenCommands {
        let (engine, signing) = (engine, signing)
        let issuer = TokenIssuer(keys: signing, issuer: "tollgate", clock: engine.clock)
        return TokenCommands(
            mint: { (customer, body, _) throws(ControlProblem) in
                let snapshot = engine.current.load()
                guard let number = snapshot.customerIndex(customer),
                    !snapshot.customer(number).isRemoved
                else { throw .notFound(.customer, customer.rawValue) }
                return try issuer.mint(
                    body, customer: customer,
                    entitlements: try Self.entitlements(gate, customer),
                    revision: snapshot.revision,
                    until: snapshot.customer(number).nextBoundary(after: engine.clock.now()))
            },
            rotate: { (context) throws(ControlProblem) in
                if context.isDryRun {
                    return ControlAnswer(body: .object(["kid": .string(signing.currentID)]))
                }
                let kid = MeteringModel.JSONValue.string(try signing.rotate())
                return ControlAnswer(body: .object(["id": kid, "kid": kid]))
            },
            rotated: { (answer, context) throws(ControlProblem) in
                try await CredentialLog.note(answer, context, engine)
            },
            jwks: { () throws(ControlProblem) in ControlAnswer(body: signing.jwks()) })
    }

    private static func entitlements(
        _ gate: any EntitlementGate, _ customer: CustomerID
    ) throws(ControlProblem) -> [EffectiveEntitlement] {
        do throws(GateError) {
            return try gate.entitlements(of: customer, at: nil)
        } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
    }
}
