/// Why a request body cannot be read: not JSON (`offset` says where), or not what the route takes
/// (`field` says which member).
struct BodyFailure: Error, Equatable {
    /// In bytes from the start of the body; nil where the text is sound but its meaning is not.
    var offset: Int?
    var message: String
    /// Path of the member at fault, e.g. `checks[3].feature`.
    var field: String?
    /// More elements than one request may hold.
    var isTooLarge = false

    init(tooMany message: String) {
        self.message = message
        isTooLarge = true
    }

    init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }

    init(field: String, message: String) {
        self.field = field
        self.message = message
    }

    /// The same failure, seen from the document around it.
    func inside(_ prefix: String) -> BodyFailure {
        guard let field else { return self }
        return BodyFailure(field: "\(prefix).\(field)", message: message)
    }
}
