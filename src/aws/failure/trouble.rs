//! Kinds of trouble with AWS: what services call them, which code each has here, and which of them pass.

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    NoCredentials,
    Expired,
    Refused,
    Denied,
    Throttled,
    NotFound,
    Taken,
    BadRequest,
    Service,
    Unreachable,
    Unreadable,
    Other,
    Misconfigured,
    Quota,
    Clock,
}

/// What services call it, by what it is; several have a name of their own for the same.
const NAMES: &[(Trouble, &[&str])] = &[
    (
        Trouble::Expired,
        &[
            "ExpiredToken",
            "ExpiredTokenException",
            "TokenRefreshRequired",
        ],
    ),
    (
        Trouble::Clock,
        &[
            "RequestTimeTooSkewed",
            "RequestExpired",
            "RequestInTheFuture",
        ],
    ),
    (
        Trouble::Refused,
        &[
            "UnrecognizedClientException",
            "UnrecognizedClient",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "AuthFailure",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "UnauthorizedException",
        ],
    ),
    (
        Trouble::Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "ForbiddenException",
            "UnauthorizedOperation",
            "NotAuthorized",
        ],
    ),
    (
        Trouble::Throttled,
        &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "SlowDown",
        ],
    ),
    (
        Trouble::NotFound,
        &[
            "NotFoundException",
            "ResourceNotFoundException",
            "ResourceNotFound",
        ],
    ),
    (
        Trouble::Taken,
        &[
            "ConflictException",
            "ResourceExistsException",
            "ResourceAlreadyExistsException",
        ],
    ),
    (
        Trouble::Quota,
        &[
            "LimitExceededException",
            "LimitExceeded",
            "ServiceQuotaExceededException",
        ],
    ),
    (
        Trouble::BadRequest,
        &[
            "BadRequestException",
            "InvalidParameterException",
            "InvalidRequestException",
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "MissingParameter",
            "MissingRequiredParameterException",
            "ValidationException",
            "ValidationError",
            "SerializationException",
        ],
    ),
    (
        Trouble::Service,
        &[
            "InternalServerErrorException",
            "InternalServiceError",
            "InternalServiceFault",
            "InternalFailure",
            "ServiceUnavailableException",
            "ServiceUnavailable",
        ],
    ),
];

impl Trouble {
    /// What an answer means, by its code, and where that is unknown by its status.
    pub(super) fn of(code: Option<&str>, status: u16, message: &str) -> Self {
        // The same code for a wrong secret and for a wrong clock.
        let is_late = message.contains("Signature expired") || message.contains("not yet current");
        let named = code.and_then(|code| {
            let row = NAMES.iter().find(|(_, names)| names.contains(&code))?;
            Some(row.0)
        });
        match (named, status) {
            (Some(Self::Refused), _) if is_late => Self::Clock,
            (Some(named), _) => named,
            (None, 401) => Self::Refused,
            (None, 403) => Self::Denied,
            (None, 404) => Self::NotFound,
            (None, 409) => Self::Taken,
            (None, 429) => Self::Throttled,
            (None, 500..) => Self::Service,
            (None, 400) if code.is_some() => Self::BadRequest,
            (None, _) => Self::Other,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NoCredentials => "K300",
            Self::Expired => "K301",
            Self::Refused => "K302",
            Self::Denied => "K303",
            Self::Throttled => "K304",
            Self::NotFound => "K305",
            Self::Taken => "K306",
            Self::BadRequest => "K307",
            Self::Service => "K308",
            Self::Unreachable => "K309",
            Self::Unreadable => "K310",
            Self::Other => "K311",
            Self::Misconfigured => "K312",
            Self::Quota => "K313",
            Self::Clock => "K315",
        }
    }

    /// May the same succeed in a moment, without anybody doing anything?
    pub(super) fn is_passing(self) -> bool {
        matches!(self, Self::Throttled | Self::Service | Self::Unreachable)
    }
}
