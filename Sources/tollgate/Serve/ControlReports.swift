import Entitlements
import Foundation
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog

/// Who belongs to whom, in the snapshot in force.
enum CustomerTree {
    /// Whether a customer (or its sandbox) is `root`, or lies below it now.
    static func isInTree(
        _ customer: CustomerID, of root: CustomerID, _ snapshot: CatalogSnapshot, _ now: Timestamp
    ) -> Bool {
        if customer == root { return true }
        guard let number = snapshot.customerIndex(customer) else { return false }
        var isFound = false
        snapshot.lineage(of: number, at: now) { ancestor, _ in
            if ancestor.id == root || base(ancestor.id) == root { isFound = true }
        }
        return isFound
    }

    static func owner(of subject: SubjectID, _ snapshot: CatalogSnapshot) -> CustomerID? {
        snapshot.customerIndex(ofSubject: subject).map { snapshot.customer($0).id }
    }

    /// `acme` of `acme#sandbox`.
    static func base(_ id: CustomerID) -> CustomerID {
        for environment in Environment.allCases where environment != .production {
            let suffix = "#" + environment.rawValue
            if id.rawValue.hasSuffix(suffix) {
                return CustomerID(id.rawValue.dropLast(suffix.count))
            }
        }
        return id
    }
}

/// The audit log's last row, signed.
enum AuditHead {
    static func answer(
        _ store: SQLCatalog, _ signer: AuditSigner, _ clock: WallClock
    ) throws(ControlProblem) -> ControlAnswer {
        let last: AuditRow?
        do throws(ControlStoreError) {
            let revision = store.revision
            last =
                revision == 0
                ? nil : try store.changes(AuditFilter(), after: revision - 1, limit: 1).first
        } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        return ControlAnswer(
            body: try signer.sign(
                sequence: last?.change.sequence ?? 0,
                hash: last?.hash ?? [UInt8](repeating: 0, count: 32), at: clock.now()))
    }
}

/// Whose a subject was: what the profiles on record said then.
struct SubjectHistory: Sendable {
    let store: SQLCatalog
    let current: CurrentCatalog

    /// The present owner is asked first; all others only when the subject was somebody else's.
    /// - Returns: nil when it was nobody's.
    func owner(
        of subject: SubjectID, at instant: Timestamp
    ) throws(ControlProblem) -> CustomerID? {
        do throws(ControlStoreError) {
            if let owner = CustomerTree.owner(of: subject, current.load()),
                try store.record(.customer, CustomerTree.base(owner).rawValue)
                    .flatMap({ Self.environment(of: subject, in: $0, at: instant) }) != nil
            {
                return owner
            }
            var found: CustomerID?
            try store.scanContracts { customer, records in
                guard found == nil, let profile = records.first(where: { $0.kind == .customer }),
                    let environment = Self.environment(of: subject, in: profile, at: instant)
                else { return }
                found =
                    environment == .production
                    ? customer : CustomerID("\(customer.rawValue)#\(environment.rawValue)")
            }
            return found
        } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
    }

    /// Nil when the profile did not list the subject.
    private static func environment(
        of subject: SubjectID, in profile: RecordHistory, at instant: Timestamp
    ) -> Environment? {
        // A subject is somebody's from the record's beginning on, as events that came before it
        // were counted when the record came.
        let step = profile.steps.last { $0.from <= instant } ?? profile.steps.first
        for listed in step?.document?["subjects"]?.elements ?? [] {
            let id = listed.text ?? listed["id"]?.text
            guard let id, id.utf8.elementsEqual(subject.rawValue.utf8) else { continue }
            return listed["environment"]?.text.flatMap(Environment.init) ?? .production
        }
        return nil
    }
}

/// Keys are not records, but who made or revoked one stands in the audit log all the same.
enum CredentialLog {
    /// - Parameter answer: the key's document; its secret is left out.
    static func note(
        _ answer: ControlAnswer, _ context: CommandContext, _ engine: ControlEngine
    ) async throws(ControlProblem) {
        guard !context.isDryRun, let id = answer.body["id"]?.text,
            case .object(var members) = answer.body
        else { return }
        for name in ["secret", "last_used_at", "change"] { members[name] = nil }
        let document = MeteringModel.JSONValue.object(members)
        var context = context
        context.idempotencyKey = nil
        context.ifMatch = nil
        context.effectiveAt = nil
        _ = try await engine.run(context, digest: "") { (draft) throws(ControlProblem) in
            try draft.put(.credential, id, document)
            return ControlAnswer(body: .object([:]))
        }
    }
}

/// What changes that reached into the past did to a customer's usage, and what came too late for
/// its period; newest first.
enum AdjustmentPage {
    static func answer(
        _ customer: CustomerID, _ query: ControlQuery, _ ledger: any LedgerQueries
    ) throws(ControlProblem) -> ControlAnswer {
        let all: [Adjustment]
        do throws(LedgerError) {
            all = try ledger.adjustments(customer: customer).reversed()
        } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        guard let start = query.cursor.map({ Int($0) }) ?? 0, start >= 0 else {
            throw ControlProblem(
                .invalid, "invalid_cursor", "the cursor is not one of ours", field: "cursor")
        }
        let page = all.dropFirst(start).prefix(query.limit)
        let next = start + page.count < all.count ? String(start + page.count) : nil
        return ControlAnswer(
            body: .object([
                "items": .array(page.map(document)), "next": .optional(next),
            ]))
    }

    private static func cause(_ adjustment: Adjustment) -> String {
        if adjustment.correction != nil { return "correction" }
        return adjustment.cause == nil ? "late_usage" : "contract_change"
    }

    private static func document(_ adjustment: Adjustment) -> MeteringModel.JSONValue {
        let scale = adjustment.cause?.scale ?? 0
        func units(_ value: Int64) -> MeteringModel.JSONValue {
            RecordCodec.quantity(value, scale: scale)
        }
        func limit(_ limit: Limit?) -> MeteringModel.JSONValue {
            limit.map { RecordCodec.limit($0, scale: scale) } ?? .null
        }
        var members: [String: MeteringModel.JSONValue] = [
            "customer": .string(adjustment.key.customer.rawValue),
            "meter": .string(adjustment.key.meter.rawValue),
            "period": .object([
                "start": .string(adjustment.key.period.start.rfc3339()),
                "end": .string(adjustment.key.period.end.rfc3339()),
            ]),
            "events": .integer(adjustment.count), "value": units(adjustment.value),
            "recorded_at": .string(adjustment.recordedAt.rfc3339()),
            "cause": .string(cause(adjustment)),
        ]
        if let correction = adjustment.correction {
            members["correction"] = .object([
                "id": .string(correction.id), "action": .string(correction.action.rawValue),
                "source": .string(correction.source), "event_id": .string(correction.eventID),
                "reason": .string(correction.reason),
            ])
        }
        if let cause = adjustment.cause {
            members["request_id"] = .string(cause.requestID)
            members["feature"] = .string(cause.feature.rawValue)
            members["limit_before"] = limit(cause.limitBefore)
            members["limit_after"] = limit(cause.limitAfter)
            members["overage_before"] = units(cause.overageBefore)
            members["overage_after"] = units(cause.overageAfter)
        }
        return .object(members)
    }
}

/// Secrets in a file, one a line; blank lines and lines that start with # are skipped.
enum SecretFile {
    static func read(_ path: String?, flag: String) throws -> [String] {
        guard let path else { return [] }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError("\(flag): cannot read \(path)")
        }
        let secrets = text.split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
        if secrets.isEmpty { throw ConfigurationError("\(flag): \(path) holds no secret") }
        return secrets
    }

    static func keys(_ path: String?) throws -> [String] {
        let keys = try read(path, flag: "--api-keys-file")
        if keys.contains(where: { $0.utf8.count < 20 }) {
            throw ConfigurationError("--api-keys-file: a key must have 20 characters or more")
        }
        return keys
    }
}
