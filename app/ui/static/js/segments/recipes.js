// The gallery of ready-made segments: fields for genres, postcodes and so on propose what is there.
import "./suggestions.js";
