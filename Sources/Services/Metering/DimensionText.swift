import Foundation

/// Reads back the canonical JSON object that `CanonicalJSON` wrote.
enum DimensionText {
    static func parse(_ text: String) -> [String: String] {
        if text == "{}" { return [:] }
        let object = try? JSONSerialization.jsonObject(with: Data(text.utf8))
        return object as? [String: String] ?? [:]
    }
}
