import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Testing

@Suite("Keys open what they say, while they hold")
struct AccessBookTests {
    @Test func aKeyIsKnownUntilItIsRevoked() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        #expect(!book.hasKeys)
        let admin = try book.make(["admin"])
        #expect(book.hasKeys)
        let gateway = try book.make(["check", "events:write"])
        let principal = try #require(book.principal(secret: gateway.secret))
        #expect(principal == Principal(id: gateway.id, scopes: [.check, .writeEvents]))
        #expect(principal.may(.check) && !principal.may(.admin))
        #expect(book.principal(secret: admin.secret)?.may(.writeLimits) == true)

        let answer = try book.revoke(gateway.id, AccessFixture.context())
        #expect(answer.status == 200)
        #expect(answer.body["revoked_at"]?.text == fixture.now.rfc3339())
        #expect(book.principal(secret: gateway.secret) == nil)
        fixture.advance(60)
        #expect(try book.revoke(gateway.id, AccessFixture.context()).body == answer.body)
        #expect(
            AccessFixture.problem { _ = try book.revoke("key_none", AccessFixture.context()) }?.code
                == "not_found")
    }

    @Test func keysOutliveARestartAndTheStoreHasNoSecret() throws {
        let fixture = try AccessFixture()
        let first = try fixture.book()
        let admin = try first.make(["admin"])
        let other = try first.make(["check"])
        _ = try first.revoke(other.id, AccessFixture.context())
        let book = try fixture.book()
        #expect(book.hasKeys)
        #expect(book.principal(secret: admin.secret)?.id == admin.id)
        #expect(book.principal(secret: other.secret) == nil)
        for key in try fixture.catalog.accessKeys() {
            #expect(key.digest != admin.secret)
            #expect(key.prefix.utf8.count == 12 && key.lastFour.utf8.count == 4)
        }
    }

    @Test func strangersAreNotLookedUp() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        let key = try book.make(["admin"])
        var wrong = key.secret
        wrong[12] = wrong[12] == 0x41 ? 0x42 : 0x41
        #expect(book.principal(secret: wrong) == nil)
        #expect(book.principal(secret: []) == nil)
        #expect(book.principal(secret: Array("Bearer".utf8)) == nil)
        #expect(book.principal(secret: key.secret + key.secret) == nil)
        #expect(book.principal(secret: [UInt8](repeating: 0x61, count: 1 << 20)) == nil)
    }

    @Test func aKeyEndsAtItsInstant() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        _ = try book.make(["admin"])
        let end = fixture.now.adding(seconds: 100)
        let key = try book.make(["check"], ["expires_at": .string(end.rfc3339())])
        fixture.advance(99)
        #expect(book.principal(secret: key.secret) != nil)
        fixture.advance(1)
        #expect(book.principal(secret: key.secret) == nil)
    }

    @Test func keysOfAFileHaveAllScopes() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book(fileSecrets: ["first-secret-of-a-file", "second-secret-of-one"])
        #expect(book.hasKeys)
        let second = book.principal(secret: Array("second-secret-of-one".utf8))
        #expect(second == Principal(id: "file_2", scopes: Set(AccessScope.allCases)))
        #expect(book.principal(secret: Array("first-secret-of-a-fil".utf8)) == nil)
        #expect(book.principal(secret: Array("first-secret-of-a-filE".utf8)) == nil)
        // Made keys stand beside them; the first one made need not be an admin's.
        let key = try book.make(["check"])
        #expect(book.principal(secret: key.secret)?.id == key.id)
    }

    @Test func theFirstKeyMustBeAnAdmins() throws {
        let fixture = try AccessFixture()
        try fixture.addCustomers("root")
        let book = try fixture.book()
        let refused = try #require(
            AccessFixture.problem { _ = try book.make(["check", "limits:write"]) })
        #expect(refused.code == "first_key_must_be_admin")
        #expect(refused.field == "scopes")
        let bound = try #require(
            AccessFixture.problem { _ = try book.make(["admin"], ["customer": .string("root")]) })
        #expect(bound.code == "first_key_must_be_admin")
        #expect(bound.field == "customer")
        #expect(!book.hasKeys)
        _ = try book.make(["admin"])
        _ = try book.make(["check"])
    }

    @Test func theLastAdminKeyStays() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        let first = try book.make(["admin"])
        _ = try book.make(["check"])
        #expect(
            AccessFixture.problem { _ = try book.revoke(first.id, AccessFixture.context()) }?.code
                == "last_admin_key")
        #expect(book.principal(secret: first.secret) != nil)
        let second = try book.make(["admin"])
        _ = try book.revoke(first.id, AccessFixture.context())
        #expect(
            AccessFixture.problem { _ = try book.revoke(second.id, AccessFixture.context()) }?.code
                == "last_admin_key")
    }

    @Test func onlyAdminsManageAndBoundOnesTheirTree() throws {
        let fixture = try AccessFixture()
        try fixture.addCustomers("root", "child", "other")
        let book = try fixture.book()
        let admin = try book.make(["admin"])
        let plain = Principal(id: "k", scopes: [.writeLimits, .readAudit])
        for attempt in [
            { _ = try book.create(AccessFixture.body(["check"]), AccessFixture.context(plain)) },
            { _ = try book.revoke(admin.id, AccessFixture.context(plain)) },
            { _ = try book.list(plain) },
        ] as [() throws -> Void] {
            #expect(AccessFixture.problem(attempt)?.kind == .forbidden)
        }
        let bound = Principal(id: "b", scopes: [.admin], customer: "root")
        let child = try book.make(["check"], ["customer": .string("child")], by: bound)
        #expect(book.principal(secret: child.secret)?.customer == "child")
        #expect(
            AccessFixture.problem { _ = try book.make(["check"], by: bound) }?.kind == .forbidden)
        let elsewhere = ["customer": JSONValue.string("other")]
        #expect(
            AccessFixture.problem { _ = try book.make(["check"], elsewhere, by: bound) }?.kind
                == .forbidden)
        #expect(
            AccessFixture.problem { _ = try book.revoke(admin.id, AccessFixture.context(bound)) }?
                .kind == .notFound)
        let seen = try book.list(bound).body["items"]?.elements?.compactMap { $0["id"]?.text }
        #expect(seen == [child.id])
    }

    @Test func listsShowUseByTheMinuteAndNoSecret() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        let key = try book.make(["admin"])
        fixture.advance(5)
        _ = try book.make(["check"])
        func items() throws -> [JSONValue] {
            try #require(try book.list(AccessFixture.admin).body["items"]?.elements)
        }
        #expect(try items().map { $0["last_used_at"] } == [.null, .null])
        fixture.advance(90)
        #expect(book.principal(secret: key.secret) != nil)
        let first = try #require(try items().first)
        #expect(first["id"]?.text == key.id)
        let minute = Timestamp(seconds: fixture.now.seconds / 60 * 60)
        #expect(first["last_used_at"]?.text == minute.rfc3339())
        #expect(first["secret"] == nil)
        let text = String(decoding: key.secret, as: UTF8.self)
        let listed = try book.list(AccessFixture.admin).body.canonicalText
        #expect(!listed.contains(text))
        #expect(first["prefix"]?.text == String(text.prefix(12)))
        #expect(first["last_four"]?.text == String(text.suffix(4)))
    }

    @Test(
        arguments: [
            (#"[]"#, "invalid_key", nil),
            (#"{"scopes":["check"]}"#, "invalid_key", "name"),
            (#"{"name":"","scopes":["check"]}"#, "invalid_key", "name"),
            (#"{"name":"a"}"#, "invalid_key", "scopes"),
            (#"{"name":"a","scopes":[]}"#, "invalid_key", "scopes"),
            (#"{"name":"a","scopes":["admin","write:events"]}"#, "unknown_scope", "scopes[1]"),
            (#"{"name":"a","scopes":[7]}"#, "unknown_scope", "scopes[0]"),
            (#"{"name":"a","scopes":["admin"],"scope":1}"#, "invalid_key", "scope"),
            (#"{"name":"a","scopes":["admin"],"customer":"no"}"#, "unknown_customer", "customer"),
            (
                #"{"name":"a","scopes":["admin"],"expires_at":"2020-01-01T00:00:00Z"}"#,
                "invalid_key", "expires_at"
            ),
            (#"{"name":"a","scopes":["admin"],"expires_at":12}"#, "invalid_key", "expires_at"),
        ] as [(String, String, String?)])
    func wrongBodiesNameTheirField(body: String, code: String, field: String?) throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        let body = try JSONParser.parse(body)
        let found = try #require(
            AccessFixture.problem { _ = try book.create(body, AccessFixture.context()) })
        #expect(found.code == code)
        #expect(found.field == field)
        #expect(!book.hasKeys)
    }

    @Test func scopesAreHintedAt() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        for (word, meant) in [
            "write:events": "events:write", "Audit": "audit:read", "limits.write": "limits:write",
        ] {
            let found = try #require(AccessFixture.problem { _ = try book.make([word]) })
            #expect(found.detail.contains("did you mean \"\(meant)\"?"))
        }
        let found = try #require(AccessFixture.problem { _ = try book.make(["write"]) })
        #expect(!found.detail.contains("did you mean"))
        #expect(found.detail.contains("limits:write"))
    }

    @Test func aRepeatedRequestMakesOneKey() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        let context = AccessFixture.context(idempotencyKey: "i1")
        let body = AccessFixture.body(["admin"])
        let first = try book.create(body, context)
        fixture.advance(5)
        #expect(try book.create(body, context) == first)
        #expect(try fixture.catalog.accessKeys().count == 1)
        let other = AccessFixture.body(["check"])
        let reused = AccessFixture.problem { _ = try book.create(other, context) }
        #expect(reused?.code == "idempotency_key_reused")
        // Another caller's key of the same name is another.
        let stranger = Principal(id: "key_2", scopes: [.admin])
        let foreign = try book.create(
            body, AccessFixture.context(stranger, idempotencyKey: "i1"))
        #expect(foreign.body["id"] != first.body["id"])
        // The secret is nowhere after a restart, and no second key appears.
        let reopened = try fixture.book()
        let lost = AccessFixture.problem { _ = try reopened.create(body, context) }
        #expect(lost?.code == "secret_not_kept")
        #expect(try fixture.catalog.accessKeys().count == 2)
    }

    @Test func aDryRunChangesNothing() throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        let dry = AccessFixture.context(isDryRun: true)
        let answer = try book.create(AccessFixture.body(["admin"]), dry)
        #expect(answer.status == 200 && answer.body["secret"] == nil)
        #expect(!book.hasKeys)
        let refused = AccessFixture.problem {
            _ = try book.create(AccessFixture.body(["check"]), dry)
        }
        #expect(refused?.code == "first_key_must_be_admin")
        let key = try book.make(["admin"])
        _ = try book.make(["admin"])
        #expect(try book.revoke(key.id, dry).body["revoked_at"]?.text != nil)
        #expect(book.principal(secret: key.secret) != nil)
    }

    @Test func treeAndOwnerAreAskedElsewhere() throws {
        let book = try AccessFixture().book()
        #expect(book.isInTree("child", of: "root") && !book.isInTree("root", of: "child"))
        #expect(book.owner(of: "subject") == "root")
        #expect(book.owner(of: "nobody") == nil)
    }

    /// Event loops ask while keys are made and revoked.
    @Test func lookingUpGoesOnWhileKeysChange() async throws {
        let fixture = try AccessFixture()
        let book = try fixture.book()
        let admin = try book.make(["admin"])
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<2_000).allSatisfy { _ in book.principal(secret: admin.secret) != nil }
                }
            }
            group.addTask {
                (try? (0..<40).forEach { _ in
                    let key = try book.make(["check"])
                    _ = try book.revoke(key.id, AccessFixture.context())
                }) != nil
            }
            for await isRight in group { #expect(isRight) }
        }
        #expect(try fixture.catalog.accessKeys().count == 41)
    }
}
