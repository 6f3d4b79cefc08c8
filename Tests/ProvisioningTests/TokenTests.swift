import MeteringModel
import MeteringPorts
import Testing

@testable import Provisioning

@Suite("Tokens say what the customer has, and cannot be changed")
struct TokenTests {
    let fixture: AccessFixture
    let keys: SigningKeys
    let issuer: TokenIssuer

    init() throws {
        fixture = try AccessFixture()
        keys = try SigningKeys(directory: fixture.path + "/signing-keys", clock: fixture.clock)
        issuer = TokenIssuer(keys: keys, issuer: "https://gate.example", clock: fixture.clock)
    }

    private func mint(_ body: String = "{}", until: Timestamp? = nil) throws -> String {
        let answer = try issuer.mint(
            try JSONParser.parse(body), customer: "acme", entitlements: Self.entitlements,
            revision: 42, until: until)
        return try #require(answer.body["token"]?.text)
    }

    private func failure(
        _ token: String, at now: Timestamp? = nil, audience: String? = nil, jwks: JWKSet? = nil,
        issuer: String? = nil
    ) -> TokenError.Code? {
        do throws(TokenError) {
            _ = try TokenVerifier.verify(
                token, jwks: jwks ?? keys.keySet(), now: now ?? fixture.now, audience: audience,
                issuer: issuer)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func claimsComeBack() throws {
        let claims = try TokenVerifier.verify(
            try mint(), jwks: keys.keySet(), now: fixture.now, issuer: "https://gate.example")
        #expect(claims.customer == "acme")
        #expect(claims.revision == 42)
        #expect(claims.issuedAt == fixture.now && claims.notBefore == fixture.now)
        #expect(claims.expiresAt == fixture.now.adding(seconds: 900))
        #expect(claims.audience.isEmpty)
        #expect(claims.id.utf8.count == 16)
        let expected = try JSONParser.parse(
            """
            {"api":{"type":"metered","allowed":true,"limit":100,"remaining":40,"reset":1790001000},
             "gold":{"type":"static","allowed":true,"value":"eu"},
             "open":{"type":"metered","allowed":true,"limit":"unlimited"},
             "seats":{"type":"seat","allowed":false,"reason":"exhausted","seats":5,"remaining":0},
             "sso":{"type":"boolean","allowed":true},
             "storage":{"type":"metered","allowed":true,"reason":"warning","limit":"1.50",
              "remaining":"0.25"}}
            """)
        #expect(claims.entitlements == expected)
        let (one, two) = (try mint(), try mint())
        #expect(one != two)
    }

    @Test func aRequestNarrowsTheToken() throws {
        let token = try mint(
            #"{"ttl_seconds":60,"audience":"edge","features":["sso","absent"]}"#)
        let claims = try TokenVerifier.verify(
            token, jwks: keys.keySet(), now: fixture.now, audience: "edge")
        #expect(claims.audience == ["edge"])
        #expect(claims.expiresAt == fixture.now.adding(seconds: 60))
        let expected = try JSONParser.parse(
            """
            {"sso":{"type":"boolean","allowed":true},
             "absent":{"allowed":false,"reason":"not_entitled"}}
            """)
        #expect(claims.entitlements == expected)
        #expect(failure(token) == .audience)
        #expect(failure(token, audience: "other") == .audience)
        #expect(failure(try mint(), audience: "edge") == .audience)
        #expect(failure(try mint(), issuer: "https://else.example") == .issuer)
    }

    @Test func aTokenDoesNotOutliveTheNextChange() throws {
        let soon = fixture.now.adding(seconds: 100)
        let claims = try TokenVerifier.verify(
            try mint(until: soon), jwks: keys.keySet(), now: fixture.now)
        #expect(claims.expiresAt == soon)
        let late = try TokenVerifier.verify(
            try mint(until: .distantFuture), jwks: keys.keySet(), now: fixture.now)
        #expect(late.expiresAt == fixture.now.adding(seconds: 900))
    }

    @Test(
        arguments: [
            (#"{"ttl_seconds":59}"#, "ttl_seconds"), (#"{"ttl_seconds":86401}"#, "ttl_seconds"),
            (#"{"ttl_seconds":"60"}"#, "ttl_seconds"), (#"{"audience":""}"#, "audience"),
            (#"{"features":"sso"}"#, "features"), (#"{"features":["sso",1]}"#, "features[1]"),
            (#"{"ttl":60}"#, "ttl"), ("[]", nil),
        ] as [(String, String?)])
    func wrongRequestsNameTheirField(body: String, field: String?) throws {
        let found = try #require(AccessFixture.problem { _ = try mint(body) })
        #expect(found.code == "invalid_token_request")
        #expect(found.field == field)
    }

    /// The rule as it is written down: from nbf − 60 s until just before exp + 60 s.
    @Test(
        arguments: [
            (-61, .notYetValid), (-60, nil), (-1, nil), (0, nil), (899, nil), (900, nil),
            (959, nil), (960, .expired), (100_000, .expired),
        ] as [(Int64, TokenError.Code?)])
    func clocksMayDifferByTheLeeway(offset: Int64, expected: TokenError.Code?) throws {
        let token = try mint()
        #expect(failure(token, at: fixture.now.adding(seconds: offset)) == expected)
    }

    @Test func withoutLeewayTheEdgesAreExact() throws {
        let token = try mint()
        func isValid(_ offset: Int64) -> Bool {
            let now = fixture.now.adding(seconds: offset)
            let claims = try? TokenVerifier.verify(
                token, jwks: keys.keySet(), now: now, leewaySeconds: 0)
            return claims != nil
        }
        #expect([-1, 0, 899, 900].map(isValid) == [false, true, true, false])
    }

    /// Every letter of every part, changed; also to one that differs in unused bits only.
    @Test func anyChangedLetterIsRefused() throws {
        let token = Array(try mint(#"{"features":["sso"]}"#).utf8)
        #expect(failure(String(decoding: token, as: UTF8.self)) == nil)
        for index in token.indices {
            for letter in ["A", "B", "w", "-", ".", "=", "+"] {
                var changed = token
                changed[index] = letter.utf8.first ?? 0
                if changed == token { continue }
                let text = String(decoding: changed, as: UTF8.self)
                #expect(failure(text) != nil, "letter \(index)")
            }
        }
    }

    @Test func partsDoNotMix() throws {
        let one = try mint(#"{"ttl_seconds":60}"#).split(separator: ".")
        let two = try mint(#"{"ttl_seconds":3600}"#).split(separator: ".")
        #expect(failure("\(one[0]).\(two[1]).\(one[2])") == .signature)
        #expect(failure("\(one[0]).\(one[1]).\(two[2])") == .signature)
        #expect(failure("\(one[0]).\(one[1]).") == .signature)
        #expect(failure("\(one[0]).\(one[1])") == .malformed)
        #expect(failure("\(one[0]).\(one[1]).\(one[2]).") == .malformed)
        #expect(failure("\(one[0]).\(one[1]).\(one[2])=") == .malformed)
        #expect(failure("") == .malformed)
        #expect(failure(String(repeating: "A", count: 70_000)) == .malformed)
    }

    /// Headers and payloads that a hostile or careless issuer could sign with the right key.
    @Test func signedNonsenseIsRefusedToo() throws {
        let kid = keys.currentID
        let good = """
            {"iss":"i","sub":"acme","iat":1790000000,"nbf":1790000000,"exp":1790000900,"jti":"j",\
            "rev":1,"ent":{}}
            """
        func token(_ header: String, _ payload: String) throws -> String {
            let input =
                Base64URLText.encode(Array(header.utf8)) + "."
                + Base64URLText.encode(Array(payload.utf8))
            return input + "." + Base64URLText.encode(try keys.current.sign(Array(input.utf8)))
        }
        let header = #"{"alg":"EdDSA","kid":"\#(kid)"}"#
        #expect(failure(try token(header, good)) == nil)
        let headers: [(String, TokenError.Code)] = [
            (#"{"alg":"none","kid":"\#(kid)"}"#, .algorithm),
            (#"{"alg":"HS256","kid":"\#(kid)"}"#, .algorithm),
            (#"{"alg":"eddsa","kid":"\#(kid)"}"#, .algorithm),
            (#"{"kid":"\#(kid)"}"#, .algorithm),
            (#"{"alg":"EdDSA"}"#, .unknownKey),
            (#"{"alg":"EdDSA","kid":"other"}"#, .unknownKey),
            (#"{"alg":"EdDSA","kid":"\#(kid)","crit":["exp"]}"#, .algorithm),
            (#"{"alg":"EdDSA","kid":"\#(kid)","typ":"JWE"}"#, .malformed),
            (#"{"alg":"EdDSA","alg":"none","kid":"\#(kid)"}"#, .malformed),
            (#"["EdDSA"]"#, .malformed),
        ]
        for (text, code) in headers {
            #expect(failure(try token(text, good)) == code, "\(text)")
        }
        let payloads: [(String, String, TokenError.Code)] = [
            (#""exp":1790000900"#, #""exp":"1790000900""#, .claims),
            (#""exp":1790000900"#, #""exp":1790000900.5"#, .claims),
            (#""exp":1790000900"#, #""exp":1e9"#, .claims),
            (#""exp":1790000900,"#, "", .claims),
            (#""nbf":1790000000,"#, "", .claims),
            (#""iat":1790000000"#, #""iat":1790000061"#, .notYetValid),
            (#""exp":1790000900"#, #""exp":9223372036854775807"#, .claims),
            (#""exp":1790000900"#, #""exp":1,"exp":1790000900"#, .malformed),
            (#""sub":"acme""#, #""sub":"""#, .claims),
            (#""sub":"acme""#, #""sub":null"#, .claims),
            (#""ent":{}"#, #""ent":[]"#, .claims),
            (#""rev":1"#, #""rev":"1""#, .claims),
            (#""jti":"j""#, #""aud":7,"jti":"j""#, .claims),
            (#""jti":"j""#, #""aud":["a",7],"jti":"j""#, .claims),
        ]
        for (old, new, code) in payloads {
            let text = good.replacing(old, with: new)
            #expect(text != good)
            #expect(failure(try token(header, text)) == code, "\(new)")
        }
        let listed = good.replacing(#""jti""#, with: #""aud":["a","b"],"jti""#)
        #expect(failure(try token(header, listed), audience: "b") == nil)
    }
}

extension TokenTests {
    static let entitlements: [EffectiveEntitlement] = {
        func entitlement(
            _ feature: FeatureKey, _ type: FeatureType, _ change: (inout Decision) -> Void
        ) -> EffectiveEntitlement {
            var decision = Decision(
                isAllowed: true, reason: .ok, customer: "acme", feature: feature, quantity: 1)
            change(&decision)
            return EffectiveEntitlement(
                feature: feature, type: type, decision: decision, enforcement: nil, counting: nil,
                thresholds: [])
        }
        return [
            entitlement("sso", .boolean) { _ in },
            entitlement("gold", .static) { $0.value = "eu" },
            entitlement("api", .metered) {
                $0.limit = .finite(100)
                $0.remaining = 40
                $0.period = Period(
                    start: Timestamp(seconds: 1_789_999_000), end: Timestamp(seconds: 1_790_001_000)
                )
            },
            entitlement("storage", .metered) {
                $0.scale = 2
                $0.reason = .warning
                $0.limit = .finite(150)
                $0.remaining = 25
                $0.period = Period(start: .distantPast, end: .distantFuture)
            },
            entitlement("open", .metered) { $0.limit = .unlimited },
            entitlement("seats", .seat) {
                $0.isAllowed = false
                $0.reason = .exhausted
                $0.limit = .finite(5)
            },
        ]
    }()
}
