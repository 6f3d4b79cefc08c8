package import MeteringModel
package import MeteringPorts

/// Signs what a customer is entitled to, for gateways and products that decide without asking.
package struct TokenIssuer: Sendable {
    package static let timeToLiveSecondsDefault: Int64 = 900
    /// From a minute to a day. A key stays in the key set as long after its retirement.
    package static let timeToLiveSecondsRange: ClosedRange<Int64> = 60...86_400

    private let keys: SigningKeys
    private let issuer: String
    private let clock: WallClock

    /// - Parameter issuer: the claim `iss`, e.g. the service's public URL.
    package init(keys: SigningKeys, issuer: String, clock: WallClock) {
        self.keys = keys
        self.issuer = issuer
        self.clock = clock
    }

    /// `POST /v1/customers/{id}/token`: `{ttl_seconds?, audience?, features?}`.
    /// - Parameters:
    ///   - entitlements: all that the customer has now.
    ///   - until: when they change next; the token does not outlive that. Nil: not known.
    /// - Returns: 201 `{token, expires_at}`.
    /// - Throws: `invalid_token_request` with the field at fault.
    package func mint(
        _ body: JSONValue, customer: CustomerID, entitlements: [EffectiveEntitlement],
        revision: Int64, until: Timestamp? = nil
    ) throws(ControlProblem) -> ControlAnswer {
        let request = try TokenRequest(body)
        let issued = try mint(
            request, customer: customer, entitlements: entitlements, revision: revision,
            until: until)
        return ControlAnswer(
            status: 201,
            body: .object([
                "token": .string(issued.token), "expires_at": .string(issued.expiresAt.rfc3339()),
            ]))
    }

    package func mint(
        _ request: TokenRequest, customer: CustomerID, entitlements: [EffectiveEntitlement],
        revision: Int64, until: Timestamp? = nil
    ) throws(ControlProblem) -> (token: String, expiresAt: Timestamp) {
        let now = clock.now().seconds
        var end = now + request.timeToLiveSeconds
        // At least a second, so that a token is never expired when it is handed out.
        if let until { end = max(now + 1, min(end, until.seconds)) }
        var generator = SystemRandomNumberGenerator()
        let id = (0..<12).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let payload = JSONValue.members([
            "iss": .string(issuer), "sub": .string(customer.rawValue),
            "aud": request.audience.map(JSONValue.string), "iat": .integer(now),
            "nbf": .integer(now), "exp": .integer(end), "jti": .string(Base64URLText.encode(id)),
            "rev": .integer(revision),
            "ent": Self.claim(entitlements, features: request.features),
        ])
        let signer = keys.current
        let header = JSONValue.object([
            "alg": .string("EdDSA"), "typ": .string("JWT"), "kid": .string(signer.kid),
        ])
        let input = CompactJWS.signingInput(header: header, payload: payload)
        let signature = try signer.sign(Array(input.utf8))
        return (input + "." + Base64URLText.encode(signature), Timestamp(seconds: end))
    }

    // MARK: the claim `ent`

    private static func claim(
        _ entitlements: [EffectiveEntitlement], features: [FeatureKey]?
    ) -> JSONValue {
        var members: [String: JSONValue] = [:]
        for entitlement in entitlements {
            if let features, !features.contains(entitlement.feature) { continue }
            members[entitlement.feature.rawValue] = Self.claim(entitlement)
        }
        // Asked for and not there: the verifier gets a no, not a gap.
        for feature in features ?? [] where members[feature.rawValue] == nil {
            members[feature.rawValue] = .object([
                "allowed": .bool(false),
                "reason": .string(DecisionReason.notEntitled.rawValue),
            ])
        }
        return .object(members)
    }

    private static func claim(_ entitlement: EffectiveEntitlement) -> JSONValue {
        let decision = entitlement.decision
        var members: [String: JSONValue] = [
            "type": .string(entitlement.type.rawValue), "allowed": .bool(decision.isAllowed),
        ]
        if decision.reason != .ok { members["reason"] = .string(decision.reason.rawValue) }
        switch entitlement.type {
        case .boolean: break
        case .static:
            members["value"] = decision.value.map(JSONValue.string)
        case .metered, .seat:
            let name = entitlement.type == .seat ? "seats" : "limit"
            switch decision.limit {
            case nil: break
            case .unlimited: members[name] = .string("unlimited")
            case .finite(let units):
                members[name] = quantity(units, decision.scale)
                members["remaining"] = quantity(decision.remaining, decision.scale)
            }
            // A period without an end is never reset.
            if let end = decision.period?.end, end < .distantFuture {
                members["reset"] = .integer(end.seconds)
            }
        }
        return .object(members)
    }

    /// As in the answers of `/v1/check`: a number at scale 0, else a decimal string.
    private static func quantity(_ units: Int64, _ scale: Int) -> JSONValue {
        scale == 0
            ? .integer(units) : .string(DecimalQuantity.text(units: units, scale: scale))
    }
}

/// What a token is asked for with.
package struct TokenRequest: Sendable, Hashable {
    private static let members = ["ttl_seconds", "audience", "features"]
    private static let featuresMax = 1_000

    package var timeToLiveSeconds = TokenIssuer.timeToLiveSecondsDefault
    package var audience: String?
    /// Nil: all that the customer has.
    package var features: [FeatureKey]?

    package init() {}

    package init(_ body: JSONValue) throws(ControlProblem) {
        guard let object = body.object else {
            throw Self.problem("the body must be an object", field: nil)
        }
        for name in object.keys.sorted() where !Self.members.contains(name) {
            throw Self.problem(
                "unknown member \"\(name)\"; known are \(Self.members.joined(separator: ", "))",
                field: name)
        }
        if let value = object["ttl_seconds"], !value.isNull {
            let range = TokenIssuer.timeToLiveSecondsRange
            guard let seconds = value.integer, range.contains(seconds) else {
                throw Self.problem(
                    "ttl_seconds must be a whole number from \(range.lowerBound) to"
                        + " \(range.upperBound)", field: "ttl_seconds")
            }
            timeToLiveSeconds = seconds
        }
        if let value = object["audience"], !value.isNull {
            guard let text = value.text, !text.isEmpty else {
                throw Self.problem("audience must be a text", field: "audience")
            }
            audience = text
        }
        if let value = object["features"], !value.isNull {
            guard let elements = value.elements, elements.count <= Self.featuresMax else {
                throw Self.problem(
                    "features must be a list of at most \(Self.featuresMax) keys",
                    field: "features")
            }
            features = []
            for (index, element) in elements.enumerated() {
                guard let text = element.text, !text.isEmpty else {
                    throw Self.problem("not a feature's key", field: "features[\(index)]")
                }
                features?.append(FeatureKey(text))
            }
        }
    }

    private static func problem(_ detail: String, field: String?) -> ControlProblem {
        ControlProblem(.unprocessable, "invalid_token_request", detail, field: field)
    }
}
