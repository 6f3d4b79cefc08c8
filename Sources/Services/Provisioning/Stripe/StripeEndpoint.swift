import MeteringModel
package import MeteringPorts

/// Takes Stripe's webhooks: checks who sent them, and that each is carried out once.
package struct StripeEndpoint: Sendable {
    private let engine: ControlEngine
    private let secrets: [String]

    /// - Parameter secrets: the endpoint's signing secrets; while one is replaced, both.
    package init(engine: ControlEngine, secrets: [String]) {
        self.engine = engine
        self.secrets = secrets
    }

    /// - Parameter signature: the request's `Stripe-Signature`.
    /// - Throws: `not_configured` without a secret; `invalid_signature`, `signature_expired` for
    ///   what Stripe did not send just now; `.unprocessable` for an event that cannot be carried
    ///   out yet, which Stripe then sends again.
    package func receive(
        _ body: [UInt8], signature: String?
    ) async throws(ControlProblem) -> ControlAnswer {
        if secrets.isEmpty {
            throw ControlProblem(
                .notFound, "not_configured",
                "no Stripe signing secret is configured, so webhooks of Stripe are not taken")
        }
        do throws(StripeSignature.Failure) {
            try StripeSignature.verify(
                header: signature, body: body, secrets: secrets, now: engine.clock.now())
        } catch {
            throw Self.problem(error)
        }
        let event = try StripeEvent(body: body)
        if event.content == .other { return Self.answer(["ignored": .bool(true)]) }
        if try isKnown(event.id) { return Self.answer(["duplicate": .bool(true)]) }
        return try await carryOut(event)
    }

    private func carryOut(_ event: StripeEvent) async throws(ControlProblem) -> ControlAnswer {
        let context = CommandContext(
            principal: Principal(id: StripeIntake.system, scopes: [.writeLimits]),
            source: StripeIntake.system, requestID: event.id, effectiveAt: event.created,
            reason: event.type)
        let webhook = Webhook(source: StripeIntake.system, id: event.id)
        return try await engine.run(context, digest: event.id, webhook: webhook) {
            (draft) throws(ControlProblem) in
            // Again, now that no other command can come between.
            if try isKnown(event.id) {
                // To note it a second time would be a conflict, over and over.
                draft.webhook = nil
                return Self.answer(["duplicate": .bool(true)])
            }
            switch try StripeIntake.apply(event, to: &draft) {
            case .applied: return Self.answer([:])
            case .stale: return Self.answer(["stale": .bool(true)])
            case .ignored: return Self.answer(["ignored": .bool(true)])
            }
        }
    }

    private func isKnown(_ id: String) throws(ControlProblem) -> Bool {
        do throws(ControlStoreError) {
            return try engine.store.isWebhookKnown(StripeIntake.system, id)
        } catch {
            throw .store(error)
        }
    }

    private static func answer(_ members: [String: JSONValue]) -> ControlAnswer {
        ControlAnswer(body: JSONValue.object(["received": .bool(true)]).setting(members))
    }

    private static func problem(_ failure: StripeSignature.Failure) -> ControlProblem {
        switch failure {
        case .invalid:
            ControlProblem(
                .invalid, "invalid_signature",
                "the Stripe-Signature header is missing or was not made with this endpoint's secret"
            )
        case .expired:
            ControlProblem(
                .invalid, "signature_expired",
                "the event was signed more than \(StripeSignature.toleranceSeconds) s from now; "
                    + "check the clocks, or let Stripe send it again")
        }
    }
}
