//! What a module gives to the learner, by kind, and what completes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::quiz::QuizContent;

/// Longest key of a module, branch, stage or item, in characters.
pub const MAX_KEY: usize = 100;

/// Whether a text may be a key: 1 to 100 of ASCII letters, digits, `.`, `_`, `-`; not `.` or `..`, which clients take out of paths.
#[must_use]
pub fn valid_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
        && !matches!(key, "." | "..")
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// What a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModuleKind {
    /// A film; intervals watched are reported as learning events.
    Video,
    /// Text to read.
    Article,
    /// A file to open.
    File,
    /// Something elsewhere on the web.
    Link,
    /// Questions.
    Quiz,
    /// A case to think through.
    CaseStudy,
    /// Something to try out.
    Simulation,
    /// Work that is handed in.
    Assignment,
    /// A talk with others.
    Discussion,
    /// A session at a time.
    LiveSession,
}

macro_rules! content_struct {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)*)])? $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])+ $(#[serde($($serde)*)])? pub $field: $type,)*
        }
    };
}

content_struct! {
    /// A video.
    VideoContent {
        /// Where it is.
        url: String,
        /// Its length in seconds.
        duration_seconds: f64,
        /// Captions (WebVTT).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        captions_url: Option<String>,
        /// What is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<String>,
    }
}
content_struct! {
    /// Text, as HTML or Markdown; frontends must sanitise what they show.
    TextContent {
        /// HTML.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        html: Option<String>,
        /// Markdown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        markdown: Option<String>,
        /// Where an interactive part is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    }
}
content_struct! {
    /// A file or link.
    ResourceContent {
        /// Where it is.
        url: String,
        /// What it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
        /// How large it is, in bytes.
        #[serde(default, deserialize_with = "crate::domain::bounds::formatted", skip_serializing_if = "Option::is_none")]
        size_bytes: Option<u64>,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    }
}
content_struct! {
    /// A discussion.
    DiscussionContent {
        /// What to talk about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<String>,
    }
}
content_struct! {
    /// A live session's description; place and time belong to the session itself.
    LiveSessionContent {
        /// What it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// How long it takes, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_seconds: Option<f64>,
    }
}

/// What the learner gets; the shape follows from the module's kind: `video` has [`VideoContent`], `article`, `case_study`,
/// `simulation` and `assignment` [`TextContent`], `file` and `link` [`ResourceContent`], `quiz` [`QuizContent`], `discussion`
/// [`DiscussionContent`], `live_session` [`LiveSessionContent`].
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// Of a quiz.
    Quiz(QuizContent),
    /// Of a video.
    Video(VideoContent),
    /// Of a file or link.
    Resource(ResourceContent),
    /// Of a text.
    Text(TextContent),
    /// Of a discussion.
    Discussion(DiscussionContent),
    /// Of a live session.
    LiveSession(LiveSessionContent),
}

impl Content {
    /// Reads content by the module's kind.
    ///
    /// # Errors
    /// What does not fit the kind.
    pub fn parse(kind: ModuleKind, value: serde_json::Value) -> Result<Self, serde_json::Error> {
        use serde_json::from_value;
        Ok(match kind {
            ModuleKind::Quiz => Self::Quiz(from_value(value)?),
            ModuleKind::Video => Self::Video(from_value(value)?),
            ModuleKind::File | ModuleKind::Link => Self::Resource(from_value(value)?),
            ModuleKind::Article | ModuleKind::CaseStudy | ModuleKind::Simulation | ModuleKind::Assignment => {
                Self::Text(from_value(value)?)
            }
            ModuleKind::Discussion => Self::Discussion(from_value(value)?),
            ModuleKind::LiveSession => Self::LiveSession(from_value(value)?),
        })
    }

    /// A video's length in seconds.
    #[must_use]
    pub fn duration_seconds(&self) -> Option<f64> {
        match self {
            Self::Video(video) => Some(video.duration_seconds),
            _ => None,
        }
    }
}

/// What completes a module.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// It was opened.
    Viewed(bool),
    /// So much of the video was seen, in percent of distinct seconds: skipping ahead earns nothing.
    WatchedPercent(f64),
    /// So long was spent in it.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    TimeSpentSeconds(u64),
    /// Work was handed in, or a quiz attempt finished.
    Submitted(bool),
    /// The quiz was passed.
    Passed(bool),
    /// The counted score is at least so many percent.
    ScoreAtLeast(f64),
    /// Something was posted.
    Posted(bool),
    /// The session was attended.
    Attended(bool),
    /// The learner said so.
    MarkedByLearner(bool),
    /// An instructor said so.
    MarkedByInstructor(bool),
    /// An external activity reported it.
    External(bool),
}

impl Completion {
    /// Whether a learner alone can bring it about with what Cairn knows today.
    #[must_use]
    pub fn by_learner(self) -> bool {
        matches!(
            self,
            Self::Viewed(_)
                | Self::WatchedPercent(_)
                | Self::TimeSpentSeconds(_)
                | Self::Passed(_)
                | Self::ScoreAtLeast(_)
                | Self::MarkedByLearner(_)
        )
    }
}
