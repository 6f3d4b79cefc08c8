import Entitlements
import Foundation
import MeteringModel
import Testing

/// Names that Swift takes for the same must not stand for two records.
@Suite struct NameFormTests {
    @Test(arguments: ["acme", "é", "größe", "日本", "ภาษาไทย", "한글", "user#1 ~", "🙂"])
    func takesComposedNames(_ name: String) {
        #expect(NameForm.isComposed(name))
    }

    @Test(arguments: ["e\u{301}", "\u{212A}", "\u{37E}", "a\u{323}\u{302}", "\u{1112}\u{1161}"])
    func refusesNamesWithATwin(_ name: String) {
        #expect(!NameForm.isComposed(name))
        #expect(RecordCodec.problem(ofID: name) != nil)
    }

    /// Every character that Foundation changes when it composes, alone or taken apart, is refused.
    @Test func agreesWithUnicode() {
        for value in UInt32(0x80)...0x1FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let name = String(scalar)
            let composed = name.precomposedStringWithCanonicalMapping
            if !composed.utf8.elementsEqual(name.utf8) {
                #expect(!NameForm.isComposed(name), "U+\(String(value, radix: 16))")
            }
            let apart = name.decomposedStringWithCanonicalMapping
            if !apart.utf8.elementsEqual(composed.utf8) {
                #expect(!NameForm.isComposed(apart), "U+\(String(value, radix: 16)) apart")
            }
        }
    }

    @Test func definitionsAndCustomersNeedComposedNames() {
        var catalog = Catalog()
        catalog.features = [FeatureDefinition(key: "\u{212A}", type: .boolean)]
        catalog.customers = [
            CustomerDefinition(
                id: "e\u{301}", profile: CustomerProfile(subjects: [.init("o\u{308}")]))
        ]
        let result = CatalogSnapshot.compile(
            catalog, revision: 1, hash: KeyHash(k0: 1, k1: 2), zone: { _ in .utc })
        guard case .failure(let issues) = result else {
            Issue.record("names with twins were taken")
            return
        }
        #expect(
            issues.issues.map { $0.path.joined(separator: ".") }
                == ["features.0.key", "customers.0.id"])
    }
}
