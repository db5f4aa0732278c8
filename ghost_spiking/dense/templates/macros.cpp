{# Evaluates the one-sided factors of a block into their buffers. #}
{% macro evaluate(block, size, scalar_code, vector_code) %}
{% if block in vector_code %}
    {
        const size_t _vectorisation_idx = -1;
        {{scalar_code[block]|autoindent}}
        for (int _idx = 0; _idx < {{size}}; _idx++)
        {
            const size_t _vectorisation_idx = _idx;
            {{vector_code[block]|autoindent}}
        }
    }
{% endif %}
{% endmacro %}

{# Coefficients that are the same for all synapses. #}
{% macro scalars(scalar_code, vector_code) %}
{% if 'scalars' in scalar_code %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['scalars']|autoindent}}
    {{vector_code['scalars']|autoindent}}
{% endif %}
{% endmacro %}
