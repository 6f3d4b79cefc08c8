/// What is wrong with one member of a document, for people and for programs.
package struct FieldProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable words for programs; the raw values are `code` in problem documents.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        case unknownMember = "unknown_member"
        /// A name that the writer chose is not of the form that it must have.
        case invalidName = "invalid_name"
        case missing
        case invalidType = "invalid_type"
        case invalidValue = "invalid_value"
        case invalidTime = "invalid_time"
        case invalidID = "invalid_id"
        case endBeforeStart = "end_before_start"
        case unknownFeature = "unknown_feature"
        /// The feature is not of the type that the document takes it for.
        case wrongFeatureType = "wrong_feature_type"
        case unknownTimeZone = "unknown_time_zone"
        case negativeLimit = "negative_limit"
        case negative
        case tooPrecise = "too_precise"
        case tooLarge = "too_large"
        case duplicate
    }
    /// Member names and list positions from 0: ["entitlements", "tokens", "limit"].
    package var path: [String]
    package var code: Code
    package var message: String

    package init(path: [String], code: Code, message: String) {
        self.path = path
        self.code = code
        self.message = message
    }

    /// The path as problem documents write it: `subscriptions[0].add_ons[2].key`.
    package var field: String {
        var text = ""
        for name in path {
            if !name.isEmpty, name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                text += "[\(name)]"
            } else {
                text += text.isEmpty ? name : ".\(name)"
            }
        }
        return text
    }

    package var description: String { path.isEmpty ? message : "\(field): \(message)" }
}
