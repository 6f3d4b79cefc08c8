import Entitlements
import Logging
import MeteringModel
import MeteringPorts

extension ControlEngine {
    /// What the same caller got for the same idempotency key.
    /// - Throws: `idempotency_key_reused` when it was another request.
    func storedAnswer(
        _ context: CommandContext, _ digest: String
    ) throws(ControlProblem) -> ControlAnswer? {
        guard !context.isDryRun, let key = Self.answerKey(context) else { return nil }
        let known: StoredAnswer?
        do throws(ControlStoreError) {
            known = try store.answer(idempotencyKey: key)
        } catch {
            throw .store(error)
        }
        guard let known else { return nil }
        if known.requestDigest != digest {
            throw ControlProblem(
                .conflict, "idempotency_key_reused",
                "the idempotency key \"\(context.idempotencyKey ?? "")\" was used for another "
                    + "request at \(known.at.rfc3339()); give each request a key of its own")
        }
        return ControlAnswer(
            status: known.status, body: known.body["body"] ?? .object([:]),
            entityTag: known.entityTag, location: known.body["location"]?.text)
    }

    /// Runs, once for an idempotency key, what changes other things than records.
    func once(
        _ context: CommandContext, digest: String,
        _ body: @Sendable () async throws(ControlProblem) -> ControlAnswer
    ) async throws(ControlProblem) -> ControlAnswer {
        if context.isDryRun {
            throw ControlProblem(
                .invalid, "no_dry_run", "this command has no dry run", field: "dry_run")
        }
        try requireRoom()
        await enter()
        defer { gate.leave() }
        if let known = try storedAnswer(context, digest) { return known }
        let answer = try await body()
        keep(Self.stored(answer, context, digest, at: clock.now()))
        return answer
    }

    /// The answer as it is kept; nil without an idempotency key.
    static func stored(
        _ answer: ControlAnswer, _ context: CommandContext, _ digest: String, at now: Timestamp
    ) -> StoredAnswer? {
        guard let key = answerKey(context) else { return nil }
        return StoredAnswer(
            key: key, requestDigest: digest, status: answer.status,
            body: .members([
                "body": answer.body, "location": answer.location.map(JSONValue.string),
            ]),
            entityTag: answer.entityTag, at: now)
    }

    /// Keeps a fuller answer in the place of the one that was stored with the changes. Without it a
    /// retry is answered correctly still, only with less.
    func keep(_ answer: StoredAnswer?) {
        guard let answer else { return }
        do throws(ControlStoreError) {
            _ = try store.commit(ControlCommit(base: revision, changes: [], answer: answer))
        } catch {
            logger.warning("an answer could not be kept for its idempotency key: \(error)")
        }
    }

    /// Each caller has keys of its own.
    private static func answerKey(_ context: CommandContext) -> String? {
        context.idempotencyKey.map { RecordNames.joined([context.principal.id, $0]) }
    }
}

extension ControlAnswer {
    /// At most so many changes are shown in the answer of a dry run.
    private static let shownMax = 100

    /// Says what the command changed, or would.
    mutating func tell(_ draft: ControlDraft) {
        guard case .object(let members) = body, members["change"] == nil else { return }
        var change: [String: JSONValue] = [
            "request_id": .string(draft.context.requestID),
            "changed": .integer(draft.changedCount),
        ]
        if draft.context.isDryRun {
            change["dry_run"] = .bool(true)
            change["changes"] = .array(draft.changes.prefix(Self.shownMax).map(Self.shown))
        }
        body = body.setting(["change": .object(change)])
    }

    mutating func tell(_ restatement: Restatement) {
        guard case .object(var change) = body["change"] else { return }
        change["restatement"] = restatement.document
        body = body.setting(["change": .object(change)])
    }

    private static func shown(_ change: ControlChange) -> JSONValue {
        .members([
            "action": .string(change.action.rawValue), "kind": .string(change.kind.rawValue),
            "id": .string(change.id), "effective_at": .string(change.effectiveAt.rfc3339()),
            "before": change.before ?? .null, "after": change.after ?? .null,
        ])
    }
}

extension Restatement {
    var isEmpty: Bool {
        lines.isEmpty && crossingsResolved.isEmpty && crossingsAppeared.isEmpty
            && admissionsAffectedCount == 0
    }

    var document: JSONValue {
        .members([
            "adjustments": .array(lines.map(\.document)),
            "crossings_resolved": .array(crossingsResolved.map(JSONValue.string)),
            "crossings_appeared": .array(crossingsAppeared.map(JSONValue.string)),
            "admissions_affected": .array(admissionsAffected.map(JSONValue.string)),
            "admissions_affected_count": .integer(admissionsAffectedCount),
        ])
    }
}

extension Restatement.Line {
    var document: JSONValue {
        .members([
            "customer": .string(customer.rawValue), "feature": .string(feature.rawValue),
            "period": .members([
                "start": .string(period.start.rfc3339()), "end": .string(period.end.rfc3339()),
            ]),
            "used": RecordCodec.quantity(used, scale: scale),
            "limit_before": limitBefore.map { RecordCodec.limit($0, scale: scale) } ?? .null,
            "limit_after": limitAfter.map { RecordCodec.limit($0, scale: scale) } ?? .null,
            "overage_before": RecordCodec.quantity(overageBefore, scale: scale),
            "overage_after": RecordCodec.quantity(overageAfter, scale: scale),
        ])
    }
}
